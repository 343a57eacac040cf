//! A client as bare as the protocol allows: what one Sync for a batch can reach.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    IsNull,
    message::{backend::Message, frontend},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Outcome, SQL};

pub(crate) struct Raw {
    stream: TcpStream,
    out: BytesMut,
    read: BytesMut,
}

impl Raw {
    pub(crate) async fn connect(port: u16, commit: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut raw = Self {
            stream,
            out: BytesMut::new(),
            read: BytesMut::new(),
        };
        frontend::startup_message([("user", "postgres")], &mut raw.out)?;
        raw.round_trip().await?;
        frontend::query(&format!("SET synchronous_commit = {commit}"), &mut raw.out)?;
        raw.round_trip().await?;
        for (name, sql) in [("insert", SQL), ("begin", "BEGIN"), ("commit", "COMMIT")] {
            frontend::parse(name, sql, [], &mut raw.out)?;
        }
        frontend::sync(&mut raw.out);
        raw.round_trip().await?;
        Ok(raw)
    }

    /// Inserts records in transactions of `batch`, each with one Sync.
    pub(crate) async fn insert(&mut self, records: &[String], batch: usize) -> Outcome {
        for records in records.chunks(batch) {
            self.execute("begin", &[])?;
            for record in records {
                self.execute("insert", &[b"click", record.as_bytes()])?;
            }
            self.execute("commit", &[])?;
            frontend::sync(&mut self.out);
            self.round_trip().await?;
        }
        Ok(())
    }

    fn execute(&mut self, name: &str, params: &[&[u8]]) -> Outcome {
        let bound = frontend::bind(
            "",
            name,
            params.iter().map(|_| 1),
            params,
            |param, out| {
                out.extend_from_slice(param);
                Ok(IsNull::No)
            },
            Some(1),
            &mut self.out,
        );
        bound.map_err(|_| "a parameter is too long")?;
        Ok(frontend::execute("", 0, &mut self.out)?)
    }

    async fn round_trip(&mut self) -> Outcome {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        loop {
            while let Some(message) = Message::parse(&mut self.read)? {
                match message {
                    Message::ReadyForQuery(_) => return Ok(()),
                    Message::ErrorResponse(error) => {
                        let fields: Vec<String> = error
                            .fields()
                            .map(|f| Ok(String::from_utf8_lossy(f.value_bytes()).into_owned()))
                            .collect()?;
                        return Err(fields.join(" ").into());
                    }
                    _ => {}
                }
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the server has closed".into());
            }
        }
    }
}
