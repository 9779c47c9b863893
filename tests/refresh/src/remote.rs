//! A table behind a Unix socket: one process has it, others reach it. Only what a refresh asks of a table is carried over.

use std::{io, path::Path, sync::Arc};

use alter_domain::port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::{UnixListener, UnixStream},
    sync::Mutex,
};

/// Serves the table to whoever connects, until the listener's task ends.
pub async fn serve_table(table: Arc<dyn Table>, listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let table = Arc::clone(&table);
        tokio::spawn(async move {
            let mut stream = BufStream::new(stream);
            // Ends with the client: a process that was killed has sent a part of a request at most.
            while let Ok(asked) = read::<Asked>(&mut stream).await {
                let answer = answer(table.as_ref(), asked).await;
                if write(&mut stream, &answer).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// The table of another process.
pub struct RemoteTable(Mutex<BufStream<UnixStream>>);

impl RemoteTable {
    pub async fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(BufStream::new(UnixStream::connect(path).await?))))
    }

    async fn ask(&self, asked: Asked) -> Result<Vec<Option<Carried>>, StoreError> {
        let mut stream = self.0.lock().await;
        let gone = |error: io::Error| StoreError::Unavailable(error.to_string());
        write(&mut stream, &asked).await.map_err(gone)?;
        let answer: Answer = read(&mut stream).await.map_err(gone)?;
        answer.map_err(Into::into)
    }
}

#[derive(Serialize, Deserialize)]
enum Asked {
    Get(Vec<(u8, String, String)>),
    Transact(Vec<CarriedOp>),
}

type Answer = Result<Vec<Option<Carried>>, CarriedError>;

#[derive(Serialize, Deserialize)]
struct Carried {
    key: (String, String),
    index: Vec<Option<(String, String)>>,
    version: Version,
    expires_at: Option<i64>,
    body: String,
}

#[derive(Serialize, Deserialize)]
enum CarriedOp {
    Put(u8, Carried, CarriedExpect),
    Delete(u8, (String, String), CarriedExpect),
    Check(u8, (String, String), CarriedExpect),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum CarriedExpect {
    Any,
    Absent,
    Version(Version),
}

#[derive(Serialize, Deserialize)]
enum CarriedError {
    Conflict,
    Throttled,
    Unavailable(String),
    Invalid(String),
    Corrupt(String),
}

async fn answer(table: &dyn Table, asked: Asked) -> Answer {
    match asked {
        Asked::Get(keys) => {
            let keys: Vec<_> =
                keys.into_iter().map(|(table, p, s)| (TABLES[usize::from(table)], Key::new(p, s))).collect();
            let items = table.get_many(&keys).await?;
            Ok(items.into_iter().map(|item| item.map(Into::into)).collect())
        }
        Asked::Transact(ops) => {
            table.transact(ops.into_iter().map(Into::into).collect()).await?;
            Ok(Vec::new())
        }
    }
}

#[async_trait]
impl Table for RemoteTable {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        Ok(self.get_many(&[(table, key.clone())]).await?.pop().flatten())
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        let keys = keys
            .iter()
            .map(|(table, key)| (place(*table), key.partition.clone(), key.sort.clone()))
            .collect();
        let items = self.ask(Asked::Get(keys)).await?;
        Ok(items.into_iter().map(|item| item.map(Into::into)).collect())
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        self.ask(Asked::Transact(ops.into_iter().map(Into::into).collect())).await.map(drop)
    }

    async fn put(&self, _: TableName, _: Item, _: Expect) -> Result<Version, StoreError> {
        Err(not_carried("put"))
    }

    async fn put_many(&self, _: TableName, _: Vec<Item>) -> Result<(), StoreError> {
        Err(not_carried("put_many"))
    }

    async fn delete(&self, _: TableName, _: &Key, _: Expect) -> Result<(), StoreError> {
        Err(not_carried("delete"))
    }

    async fn query(&self, _: &Query) -> Result<Page, StoreError> {
        Err(not_carried("query"))
    }

    async fn add(&self, _: TableName, _: &Key, _: i64, _: i64, _: Option<i64>) -> Result<i64, StoreError> {
        Err(not_carried("add"))
    }
}

fn not_carried(what: &str) -> StoreError {
    StoreError::Invalid(format!("{what} is not carried over"))
}

const TABLES: [TableName; 3] = [TableName::Main, TableName::Vault, TableName::Audit];

fn place(table: TableName) -> u8 {
    table as u8
}

async fn write<T: Serialize>(stream: &mut BufStream<UnixStream>, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    stream.write_u32(u32::try_from(bytes.len()).map_err(io::Error::other)?).await?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

async fn read<T: for<'a> Deserialize<'a>>(stream: &mut BufStream<UnixStream>) -> io::Result<T> {
    let length = stream.read_u32().await?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

// Documents of this project are a format byte and JSON, which is text.
impl From<Item> for Carried {
    fn from(item: Item) -> Self {
        Self {
            key: (item.key.partition, item.key.sort),
            index: item.index.into_iter().map(|key| key.map(|key| (key.partition, key.sort))).collect(),
            version: item.version,
            expires_at: item.expires_at,
            body: String::from_utf8(item.body.to_vec()).expect("a document is text"),
        }
    }
}

impl From<Carried> for Item {
    fn from(carried: Carried) -> Self {
        let mut item = Self::new(Key::new(carried.key.0, carried.key.1), carried.body.into_bytes());
        for (slot, key) in item.index.iter_mut().zip(carried.index) {
            *slot = key.map(|(partition, sort)| Key::new(partition, sort));
        }
        item.version = carried.version;
        item.with_expiry(carried.expires_at)
    }
}

impl From<Op> for CarriedOp {
    fn from(op: Op) -> Self {
        match op {
            Op::Put { table, item, expect } => Self::Put(place(table), item.into(), expect.into()),
            Op::Delete { table, key, expect } => {
                Self::Delete(place(table), (key.partition, key.sort), expect.into())
            }
            Op::Check { table, key, expect } => {
                Self::Check(place(table), (key.partition, key.sort), expect.into())
            }
        }
    }
}

impl From<CarriedOp> for Op {
    fn from(op: CarriedOp) -> Self {
        let of = |table: u8| TABLES[usize::from(table)];
        match op {
            CarriedOp::Put(table, item, expect) => {
                Self::Put { table: of(table), item: item.into(), expect: expect.into() }
            }
            CarriedOp::Delete(table, (p, s), expect) => {
                Self::Delete { table: of(table), key: Key::new(p, s), expect: expect.into() }
            }
            CarriedOp::Check(table, (p, s), expect) => {
                Self::Check { table: of(table), key: Key::new(p, s), expect: expect.into() }
            }
        }
    }
}

impl From<Expect> for CarriedExpect {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Any => Self::Any,
            Expect::Absent => Self::Absent,
            Expect::Version(version) => Self::Version(version),
        }
    }
}

impl From<CarriedExpect> for Expect {
    fn from(expect: CarriedExpect) -> Self {
        match expect {
            CarriedExpect::Any => Self::Any,
            CarriedExpect::Absent => Self::Absent,
            CarriedExpect::Version(version) => Self::Version(version),
        }
    }
}

impl From<StoreError> for CarriedError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Throttled => Self::Throttled,
            StoreError::Unavailable(text) => Self::Unavailable(text),
            StoreError::Invalid(text) => Self::Invalid(text),
            StoreError::Corrupt(text) => Self::Corrupt(text),
        }
    }
}

impl From<CarriedError> for StoreError {
    fn from(error: CarriedError) -> Self {
        match error {
            CarriedError::Conflict => Self::Conflict,
            CarriedError::Throttled => Self::Throttled,
            CarriedError::Unavailable(text) => Self::Unavailable(text),
            CarriedError::Invalid(text) => Self::Invalid(text),
            CarriedError::Corrupt(text) => Self::Corrupt(text),
        }
    }
}
