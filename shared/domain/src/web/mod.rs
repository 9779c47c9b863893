//! The web edge that every function shares: errors as answers, bodies with a bound, who is at the other end.

pub mod audit;
mod edge;
mod error;
pub mod grants;
mod request;
mod signed;

pub use edge::{edge, edge_before};
pub use error::{body, code, status};
pub use request::{PeerIp, RequestId, read_body, read_json};
pub use signed::{Signed, signed};
