//! Somebody leaves: what is denied at once, and what is ended behind it, whatever happens to the process on the way.

mod life;
mod races;
mod story;
mod trouble;
mod world;
