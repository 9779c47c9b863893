//! The engine against a scripted provider.
