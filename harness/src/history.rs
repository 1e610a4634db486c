//! Owns the history of runs: an SQLite database, [`FILE`], in the folder of the runs. Refuses to be the truth: that is
//! each run's record, and the database is made again from them at any time.
//!
//! Several processes may use it at once: it writes ahead (WAL), each change is one transaction that takes the write lock
//! at its beginning, and whoever finds it taken waits.

mod past;
mod rebuild;
mod refer;

pub use past::Past;
pub use rebuild::Rebuilt;
pub use refer::Reference;

use anyhow::{Context, Result, bail};
use reports::fingerprint::{Fingerprint, Related};
use reports::history::{ENTRY_SCHEMA, Entry};
use reports::policy::Date;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params, params_from_iter};
use scenarios::verdict::Verdict;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Its name, in the folder of the runs.
pub const FILE: &str = "history.sqlite";

/// What tells our database from others: `bkst`.
const APPLICATION: i32 = 0x626B_7374;

/// How long one process waits for another: rebuilding ten thousand runs fits.
const PATIENCE: Duration = Duration::from_secs(60);

const TABLES: &str = "
    DROP TABLE IF EXISTS findings;
    DROP TABLE IF EXISTS runs;
    CREATE TABLE runs (
        run TEXT PRIMARY KEY,
        day TEXT NOT NULL,
        scenario TEXT NOT NULL,
        world TEXT NOT NULL,
        graph TEXT NOT NULL,
        verdict TEXT NOT NULL,
        build TEXT NOT NULL,
        label TEXT,
        slowest_ms REAL,
        lowest_share REAL,
        sent INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        lost_writes INTEGER NOT NULL,
        entry TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_scenario ON runs (scenario, world, run);
    CREATE TABLE findings (
        run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        fingerprint TEXT NOT NULL,
        confirmed INTEGER NOT NULL
    );
    CREATE INDEX findings_by_fingerprint ON findings (fingerprint);
    CREATE INDEX findings_by_run ON findings (run);
";

/// Which runs are asked for; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one of these scenarios.
    pub scenarios: Vec<String>,
    /// In this world.
    pub world: Option<String>,
    /// On this graph.
    pub graph: Option<String>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// With this label.
    pub label: Option<String>,
    /// On this day or later.
    pub since: Option<Date>,
    /// On this day or earlier.
    pub until: Option<Date>,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// The database of one folder of runs.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    runs: PathBuf,
}

impl History {
    /// Opens the history of a folder of runs. Where there is none yet, or one of an earlier form, it is made from the
    /// records there.
    ///
    /// # Errors
    /// Where the folder cannot be written, the file is something else, or a later version made it.
    pub fn open(runs: &Path) -> Result<Self> {
        let path = runs.join(FILE);
        let told = || format!("the history {} cannot be used", path.display());
        std::fs::create_dir_all(runs).with_context(told)?;
        let connection = Connection::open(&path).with_context(told)?;
        connection.busy_timeout(PATIENCE).with_context(told)?;
        let mut history = Self { connection, runs: runs.to_path_buf() };
        history.prepare().with_context(told)?;
        Ok(history)
    }

    fn number(&self, name: &str) -> Result<i32> {
        Ok(self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
    }

    fn is_ready(&self) -> Result<bool> {
        // One snapshot: between two looks of their own another process may have made it.
        let _snapshot = self.connection.unchecked_transaction()?;
        let (application, version) = (self.number("application_id")?, self.number("user_version")?);
        let tables: u32 = self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application != APPLICATION && (application != 0 || version != 0 || tables > 0) {
            bail!("it is no history of blackstart; move it away");
        }
        let newest = i32::try_from(ENTRY_SCHEMA)?;
        if application == APPLICATION && version > newest {
            bail!(
                "a later blackstart made it (form {version}, this one knows {newest}); use that, or move the file away: it is made again from the records"
            );
        }
        Ok(application == APPLICATION && version == newest)
    }

    fn prepare(&mut self) -> Result<()> {
        self.connection.pragma_update(None, "foreign_keys", true)?;
        if self.is_ready()? {
            return Ok(());
        }
        // The answer is a row; written ahead or not, the file works.
        self.connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        let rebuilt = self.rebuild()?;
        if rebuilt.entered > 0 {
            tracing::info!("the history was made from {} records", rebuilt.entered);
        }
        Ok(())
    }

    /// Enters a run; one that is there already is entered anew.
    ///
    /// # Errors
    /// Where the database does not take it.
    pub fn enter(&mut self, entry: &Entry) -> Result<()> {
        let told = || format!("run {} cannot be entered into the history", entry.run);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).with_context(told)?;
        insert(&transaction, entry).with_context(told)?;
        transaction.commit().with_context(told)
    }

    /// Runs, the newest first, and how many more fit than were asked for.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn select(&self, filter: &Filter) -> Result<(Vec<Entry>, usize)> {
        let (condition, values) = filter.sql();
        let all: u32 = self
            .connection
            .query_row(&format!("SELECT count(*) FROM runs WHERE {condition}"), params_from_iter(&values), |row| {
                row.get(0)
            })
            .context("the history cannot be read")?;
        let all = all as usize;
        let limit = filter.limit.unwrap_or(all).min(all);
        let sql = format!("SELECT entry FROM runs WHERE {condition} ORDER BY run DESC LIMIT {limit}");
        let mut statement = self.connection.prepare(&sql)?;
        let texts = statement.query_map(params_from_iter(&values), |row| row.get::<_, String>(0))?;
        let mut entries = Vec::with_capacity(limit);
        for text in texts {
            entries.push(
                serde_json::from_str(&text?)
                    .context("the history is damaged; `blackstart history --rebuild` mends it")?,
            );
        }
        let left_off = all.saturating_sub(entries.len());
        Ok((entries, left_off))
    }

    /// Every run, the newest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn all(&self) -> Result<Vec<Entry>> {
        Ok(self.select(&Filter::default())?.0)
    }

    /// Every run of the scenarios in which anything was ever found, the newest first: what actions follow from.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn with_findings(&self) -> Result<Vec<Entry>> {
        let sql = "SELECT DISTINCT r.scenario FROM runs r JOIN findings f USING (run)";
        let mut statement = self.connection.prepare(sql)?;
        let scenarios: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        if scenarios.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.select(&Filter { scenarios, ..Filter::default() })?.0)
    }

    /// Other runs that found the same, the newest first, at most so many of each fingerprint.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn related(&self, fingerprints: &[Fingerprint], but: &str, most: u32) -> Result<Vec<Related>> {
        let mut related = Vec::new();
        let mut statement = self.connection.prepare(
            "SELECT r.run, r.scenario, r.world, r.verdict, max(f.confirmed) FROM findings f JOIN runs r USING (run)
             WHERE f.fingerprint = ?1 AND r.run <> ?2 GROUP BY r.run ORDER BY r.run DESC LIMIT ?3",
        )?;
        for fingerprint in fingerprints {
            let rows = statement.query_map(params![fingerprint.0, but, most], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?))
            })?;
            for row in rows {
                let (run, scenario, world, word, confirmed) = row?;
                let verdict = verdict(&word).context("the history is damaged")?;
                related.push(Related { fingerprint: fingerprint.clone(), run, scenario, world, verdict, confirmed });
            }
        }
        related.sort_by(|a, b| b.run.cmp(&a.run).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
        Ok(related)
    }

    /// The run whose id is, or begins with, this text.
    fn run_like(&self, text: &str) -> Result<Option<Entry>> {
        let sql = "SELECT entry FROM runs WHERE substr(run, 1, length(?1)) = ?1 ORDER BY run LIMIT 2";
        let mut statement = self.connection.prepare(sql)?;
        let texts: Vec<String> = statement.query_map([text], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let exact = self
            .connection
            .query_row("SELECT entry FROM runs WHERE run = ?1", [text], |row| row.get::<_, String>(0))
            .optional()?;
        match (exact, texts.as_slice()) {
            (Some(entry), _) => Ok(Some(serde_json::from_str(&entry)?)),
            (None, [only]) => Ok(Some(serde_json::from_str(only)?)),
            _ => Ok(None),
        }
    }
}

fn insert(connection: &Connection, entry: &Entry) -> Result<()> {
    connection.execute("DELETE FROM runs WHERE run = ?1", [&entry.run])?;
    let figures = &entry.figures;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    connection.execute(
        "INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            entry.run,
            entry.day,
            entry.scenario,
            entry.world,
            entry.graph,
            entry.verdict.word(),
            entry.build,
            entry.label,
            figures.slowest_ms,
            figures.lowest_share,
            whole(figures.sent),
            whole(figures.lost),
            whole(figures.lost_writes),
            serde_json::to_string(entry)?
        ],
    )?;
    let mut statement = connection.prepare("INSERT INTO findings VALUES (?1, ?2, ?3)")?;
    for found in &entry.findings {
        statement.execute(params![entry.run, found.fingerprint.0, found.confirmed])?;
    }
    Ok(())
}

fn verdict(word: &str) -> Option<Verdict> {
    let all = [Verdict::Held, Verdict::Violated, Verdict::Inconclusive, Verdict::NotJudged];
    all.into_iter().find(|verdict| verdict.word() == word)
}

impl Filter {
    /// A condition with numbered places, and what stands in them.
    fn sql(&self) -> (String, Vec<String>) {
        let mut conditions = vec!["1".to_owned()];
        let mut values: Vec<String> = Vec::new();
        let mut add = |column: &str, compare: &str, value: String| {
            values.push(value);
            conditions.push(format!("{column} {compare} ?{}", values.len()));
        };
        if let Some(world) = &self.world {
            add("world", "=", world.clone());
        }
        if let Some(graph) = &self.graph {
            add("graph", "=", graph.clone());
        }
        if let Some(verdict) = self.verdict {
            add("verdict", "=", verdict.word().to_owned());
        }
        if let Some(label) = &self.label {
            add("label", "=", label.clone());
        }
        if let Some(since) = self.since {
            add("day", ">=", since.to_string());
        }
        if let Some(until) = self.until {
            add("day", "<=", until.to_string());
        }
        if !self.scenarios.is_empty() {
            let first = values.len();
            values.extend(self.scenarios.iter().cloned());
            let places: Vec<String> = (first + 1..=values.len()).map(|place| format!("?{place}")).collect();
            conditions.push(format!("scenario IN ({})", places.join(", ")));
        }
        (conditions.join(" AND "), values)
    }
}
