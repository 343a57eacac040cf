//! What faults do to the tables of the load, and what shows it.

use super::{PROBED, Workload, program};

impl Workload {
    /// Reads as the load does.
    #[must_use]
    pub fn read_one(&self) -> String {
        format!(
            "SELECT version FROM {} WHERE id = {PROBED}",
            self.accounts()
        )
    }

    /// Writes to the ledger, and changes nothing.
    #[must_use]
    pub fn touch_ledger(&self) -> String {
        format!("DELETE FROM {} WHERE false", self.ledger())
    }

    /// Reads and writes, and changes nothing.
    #[must_use]
    pub fn touch_both(&self) -> String {
        format!("{}; {}", self.read_one(), self.touch_ledger())
    }

    /// Takes space where the ledger lies, and gives it back.
    #[must_use]
    pub fn grow(&self) -> String {
        let Self { schema, .. } = self;
        format!(
            "BEGIN; CREATE TABLE {schema}.growth TABLESPACE {schema} \
             AS SELECT i FROM generate_series(1, 1000) i; ROLLBACK"
        )
    }

    /// Leaves no space where the ledger lies.
    #[must_use]
    pub fn fill(&self) -> String {
        let filler = self.filler();
        // Its input is read first, or writing that would be the error.
        program(&format!(
            "cat >/dev/null; cat /dev/zero >{filler} 2>/dev/null; true"
        ))
    }

    /// Takes [`fill`](Self::fill) back.
    #[must_use]
    pub fn free(&self) -> String {
        program(&format!("cat >/dev/null; rm -f {}", self.filler()))
    }

    fn filler(&self) -> String {
        let folder = self.small_disk.as_deref().unwrap_or("/nowhere");
        format!("{folder}/{}.filler", self.schema)
    }

    /// Makes every statement of the load on [slowable](Self::slowable) tables take so much
    /// longer, on the server. It takes no lock that the load could wait for.
    #[must_use]
    pub fn slow(&self, delay_ms: u32) -> String {
        let delay_s = f64::from(delay_ms) / 1e3;
        format!("UPDATE {}.delay SET s = {delay_s}", self.schema)
    }

    /// Takes [`slow`](Self::slow) back. Nothing, on tables that cannot be made so.
    #[must_use]
    pub fn not_slow(&self) -> String {
        if self.slowable {
            self.slow(0)
        } else {
            String::new()
        }
    }

    /// Puts a view that waits in front of the table that is read, and a trigger that does in
    /// front of the one that is written to: once for each statement.
    pub(super) fn make_slowable(&self) -> String {
        let Self { schema, .. } = self;
        format!(
            "CREATE TABLE {schema}.delay (s double precision NOT NULL);
             INSERT INTO {schema}.delay VALUES (0);
             ALTER TABLE {schema}.accounts RENAME TO quick_accounts;
             CREATE VIEW {schema}.accounts AS
                SELECT id, version, proof FROM {schema}.quick_accounts WHERE coalesce(
                    (SELECT pg_sleep(s)::text FROM {schema}.delay WHERE s > 0), '') IS NOT NULL;
             CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                PERFORM pg_sleep(s) FROM {schema}.delay WHERE s > 0;
                RETURN NULL;
             END $$;
             CREATE TRIGGER wait BEFORE INSERT ON {schema}.ledger
                 FOR EACH STATEMENT EXECUTE FUNCTION {schema}.wait();"
        )
    }
}
