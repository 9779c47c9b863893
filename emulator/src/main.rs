//! DynamoDB in memory, for tests.
//!
//! Listens on a free port of the loopback interface, prints the address as one line, and ends when its standard input
//! does: a test that is killed leaves nothing behind.

use std::{
    error::Error,
    io::{self, Write as _},
};

use dynoxide::{Database, server};
use tokio::{
    io::{AsyncReadExt as _, stdin},
    net::TcpListener,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let database = Database::memory().map_err(|error| format!("no database: {error:?}"))?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let mut input = stdin();
    let mut ignored = [0; 64];
    tokio::select! {
        () = server::serve_on(listener, database) => Err("the server ended".into()),
        () = async { while input.read(&mut ignored).await.is_ok_and(|read| read > 0) {} } => Ok(()),
    }
}
