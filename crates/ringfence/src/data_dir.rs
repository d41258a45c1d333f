//! A hub's data directory: its secrets beside its store.
//!
//! ```text
//! DATA/                mode 0700
//! DATA/keys.toml       mode 0600: the ledger's name and key, the keys of cursors and credentials
//! DATA/operator.token  mode 0600: the first operator's token; delete it once it is kept elsewhere
//! DATA/webhook-NAME.key  mode 0600: what signs the alerts that the webhook NAME is sent
//! DATA/hub.db, bodies/ the store
//! DATA/checkpoint      the last checkpoint of the ledger, to which the next start holds the store
//! DATA/backups/        what `ringfence backup` asked for; the keys are not in there
//! ```
//!
//! The keys are made once, at the first start, before the store exists. A store without its keys is not opened: a hub with
//! new keys would write a ledger that nobody's old checkpoint vouches for.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use exchange::{Exchange, KeptCheckpoint, Keys, Options};
use hub::WebhookKeys;
use model::{Clock, SystemClock};
use programme::Programme;
use serde::{Deserialize, Serialize};
use store::Store;
use store_sqlite::SqliteStore;

const KEYS: &str = "keys.toml";
const TOKEN: &str = "operator.token";
const DATABASE: &str = "hub.db";
const CHECKPOINT: &str = "checkpoint";

/// Where `ringfence backup` asks a hub to write, below the data directory.
pub(crate) const BACKUPS: &str = "backups";

/// A data directory. Having one says nothing of what is in it.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

/// `keys.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    origin: String,
    ledger: String,
    cursor: String,
    credentials: String,
}

impl DataDir {
    /// The directory, which may not be there yet.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether there is a store in it.
    pub(crate) fn has_store(&self) -> bool {
        self.0.join(DATABASE).exists()
    }

    /// Where the first operator's token is written.
    pub(crate) fn token_path(&self) -> PathBuf {
        self.0.join(TOKEN)
    }

    /// Makes the directory, closed to everybody else, if it is not there.
    pub(crate) fn create(&self) -> Result<()> {
        let shown = self.0.display();
        match fs::metadata(&self.0) {
            Ok(found) if !found.is_dir() => bail!("`{shown}` is no directory"),
            Ok(found) => {
                let mode = found.permissions().mode();
                if mode & 0o077 != 0 {
                    tracing::warn!(dir = %shown, "others on this machine may look into the data directory; chmod 700 closes it");
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
                made.with_context(|| format!("making the data directory `{shown}`"))
            }
            Err(error) => Err(error).with_context(|| format!("looking at the data directory `{shown}`")),
        }
    }

    /// The keys; made now if this is the first start. `origin` is the ledger's name, if one was asked for.
    pub(crate) fn keys(&self, origin: Option<&str>, programme: &Programme) -> Result<Keys> {
        let path = self.0.join(KEYS);
        if path.exists() {
            let keys = self.read_keys()?;
            if let Some(origin) = origin.filter(|origin| *origin != keys.origin) {
                bail!(
                    "the ledger in this data directory is called `{}`, not `{origin}`; a ledger keeps its name",
                    keys.origin
                );
            }
            // The token is written when the store has begun. A new store under the old key would be a second log.
            let is_there = fs::metadata(self.0.join(DATABASE)).is_ok_and(|found| found.len() > 0);
            if self.token_path().exists() && !is_there {
                bail!(
                    "`{}` has the keys of a hub and no store; restore the store from a backup, or begin in a new directory",
                    self.0.display()
                );
            }
            return Ok(keys);
        }
        if self.0.join(DATABASE).exists() {
            bail!(
                "there is a store in `{}` and no {KEYS}; put back the {KEYS} that belongs to it",
                self.0.display()
            );
        }
        let origin =
            origin.map_or_else(|| format!("ringfence.invalid/{}", programme.settings().name), str::to_owned);
        let file = KeysFile { origin, ledger: secret()?, cursor: secret()?, credentials: secret()? };
        let text = format!(
            "# The secrets of this hub. Keep a copy where the backups are not; without it the ledger cannot go on.\n{}",
            toml::to_string(&file)?
        );
        write_private(&path, text.as_bytes())?;
        self.read_keys()
    }

    /// The keys of a hub that has run before.
    pub(crate) fn read_keys(&self) -> Result<Keys> {
        let path = self.0.join(KEYS);
        let shown = path.display();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading the hub's keys in `{shown}`"))?;
        // The parser's message would show the line, and with it a key.
        let file: KeysFile = toml::from_str(&text).map_err(|_| anyhow!("`{shown}` is not a hub's {KEYS}"))?;
        let key = |name: &str, text: &str| -> Result<[u8; 32]> {
            let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| anyhow!("`{shown}`: `{name}` is not 64 hex digits"))
        };
        Ok(Keys {
            ledger: key("ledger", &file.ledger)?,
            cursor: key("cursor", &file.cursor)?,
            credentials: key("credentials", &file.credentials)?,
            origin: file.origin,
        })
    }

    /// Copies the keys of another data directory, if it has any.
    pub(crate) fn copy_keys_from(&self, file: &Path) -> Result<()> {
        let bytes =
            fs::read(file).with_context(|| format!("reading the hub's keys in `{}`", file.display()))?;
        write_private(&self.0.join(KEYS), &bytes)
    }

    /// The keys of the programme's webhooks, each in a file of its own that its receiver's owner can be given; made now for
    /// those that have none.
    pub(crate) fn webhook_keys(&self, programme: &Programme) -> Result<BTreeMap<String, WebhookKeys>> {
        let one = |name: &str| -> Result<WebhookKeys> {
            let path = self.webhook_key_path(name);
            let shown = path.display();
            if !path.exists() {
                let mut key = [0; 32];
                fill_random(&mut key);
                write_private(&path, format!("{}\n", WebhookKeys::text_of(&key)).as_bytes())?;
                tracing::info!(webhook = name, file = %shown, "made the webhook's key; its receiver needs it");
            }
            let text = fs::read_to_string(&path).with_context(|| format!("reading `{shown}`"))?;
            WebhookKeys::parse(&text).with_context(|| format!("reading `{shown}`"))
        };
        let hooks = programme.settings().webhooks.iter();
        hooks.map(|hook| Ok((hook.name.clone(), one(&hook.name)?))).collect()
    }

    /// Where the key of a webhook is, which may not be there yet.
    pub(crate) fn webhook_key_path(&self, name: &str) -> PathBuf {
        // INVARIANT: the name has no character that a path knows; the programme's settings refuse others.
        self.0.join(format!("webhook-{name}.key"))
    }

    /// Where the keys are, if they are there.
    pub(crate) fn keys_path(&self) -> Option<PathBuf> {
        Some(self.0.join(KEYS)).filter(|path| path.exists())
    }

    /// Writes the first operator's token.
    pub(crate) fn write_token(&self, token: &str) -> Result<()> {
        write_private(&self.token_path(), format!("{token}\n").as_bytes())
    }

    /// Opens what no hub has open, for reading.
    pub(crate) fn read_offline(&self) -> Result<Exchange> {
        let keys = self.read_keys()?;
        let store = SqliteStore::open_read_only(&self.0)
            .with_context(|| format!("opening `{}`", self.0.display()))?;
        // Only read, so no checkpoint is kept.
        let programme = self.programme_of(&store)?;
        Ok(Exchange::open(
            Arc::new(store),
            &Arc::new(programme),
            options(keys, Arc::new(SystemClock::default())),
        )?)
    }

    /// Opens what no hub has open, for writing.
    pub(crate) fn write_offline(&self) -> Result<Exchange> {
        let keys = self.read_keys()?;
        let store = SqliteStore::open(&self.0).with_context(|| format!("opening `{}`", self.0.display()))?;
        let programme = self.programme_of(&store)?;
        self.open_exchange(Arc::new(store), &Arc::new(programme), keys, Arc::new(SystemClock::default()))
    }

    /// Opens what a hub may have open meanwhile, for looking at it.
    pub(crate) fn read_beside(&self) -> Result<Exchange> {
        let keys = self.read_keys()?;
        let store =
            SqliteStore::open_beside(&self.0).with_context(|| format!("opening `{}`", self.0.display()))?;
        let programme = self.programme_of(&store)?;
        let clock = Arc::new(SystemClock::default());
        Ok(Exchange::open(Arc::new(store), &Arc::new(programme), options(keys, clock))?)
    }

    /// The last checkpoint that was kept beside the store, if one was.
    pub(crate) fn kept_checkpoint(&self) -> std::io::Result<Option<Vec<u8>>> {
        CheckpointFile(self.0.join(CHECKPOINT)).read()
    }

    fn programme_of(&self, store: &SqliteStore) -> Result<Programme> {
        in_force(store)?.with_context(|| format!("no hub has run in `{}` yet", self.0.display()))
    }

    /// The exchange over this directory's store, held to the checkpoint that is kept here, with this machine's
    /// randomness.
    pub(crate) fn open_exchange(
        &self,
        store: Arc<dyn Store>,
        programme: &Arc<Programme>,
        keys: Keys,
        clock: Arc<dyn Clock>,
    ) -> Result<Exchange> {
        let kept = Arc::new(CheckpointFile(self.0.join(CHECKPOINT)));
        Ok(Exchange::open_held_to(kept, store, programme, options(keys, clock))?)
    }
}

fn options(keys: Keys, clock: Arc<dyn Clock>) -> Options {
    Options { clock, random: Arc::new(fill_random), keys }
}

/// The file beside the store in which the last checkpoint is kept.
struct CheckpointFile(PathBuf);

impl KeptCheckpoint for CheckpointFile {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self) -> std::io::Result<Option<Vec<u8>>> {
        match fs::read(&self.0) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, checkpoint: &[u8]) -> std::io::Result<()> {
        write_whole(&self.0, checkpoint, 0o600)
    }
}

/// The programme that the store was last run with: what the exchange keeps under this kind and key.
fn in_force(store: &dyn Store) -> Result<Option<Programme>> {
    let Some(value) = store.snapshot()?.get("programme", "in-force")? else { return Ok(None) };
    let files: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&value).context("reading the programme that is in force")?;
    let files = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    Ok(Some(Programme::from_files(&files)?))
}

/// Fills a buffer with random bytes of the operating system.
pub(crate) fn fill_random(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system has random bytes");
}

fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the operating system has no random bytes: {error}"))?;
    Ok(hex::encode(bytes))
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, bytes, 0o600).with_context(|| format!("writing `{}`", path.display()))
}

/// Writes beside the file, flushes, and renames: a crash leaves the old file or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    // What a crash left there may have another mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Programme {
        Programme::from_files(&programme::template()).unwrap()
    }

    #[test]
    fn keys_are_made_once_and_private() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::new(root.path().join("data"));
        dir.create().unwrap();
        let first = dir.keys(None, &template()).unwrap();
        let again = dir.keys(Some(&first.origin), &template()).unwrap();
        assert_eq!(first.ledger, again.ledger);
        assert_ne!(first.ledger, first.cursor);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&dir.path().join(KEYS)), 0o600);
        dir.write_token("rf_x").unwrap();
        assert_eq!(mode(&dir.token_path()), 0o600);
        assert!(dir.keys(Some("other.example"), &template()).is_err());
    }

    #[test]
    fn a_webhook_has_a_key_of_its_own_that_is_made_once_and_private() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::new(root.path());
        let mut files = programme::template();
        let hooks = "\n[[webhook]]\nname = \"soc\"\nurl = \"https://soc.example/\"\n\n[[webhook]]\nname = \"desk\"\nurl = \"http://127.0.0.1:9/\"\n";
        files.get_mut("programme.toml").unwrap().extend_from_slice(hooks.as_bytes());
        let programme = Programme::from_files(&files).unwrap();
        let read = |name: &str| fs::read_to_string(dir.webhook_key_path(name)).unwrap();
        assert_eq!(dir.webhook_keys(&programme).unwrap().len(), 2);
        let first = [read("soc"), read("desk")];
        assert_ne!(first[0], first[1]);
        dir.webhook_keys(&programme).unwrap();
        assert_eq!([read("soc"), read("desk")], first);
        let mode = fs::metadata(dir.webhook_key_path("soc")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        fs::write(dir.webhook_key_path("soc"), "sesame").unwrap();
        let refused = dir.webhook_keys(&programme).err().unwrap();
        let told = format!("{refused:#}");
        assert!(told.contains("webhook-soc.key") && !told.contains("sesame"), "{told}");
        assert!(dir.webhook_keys(&template()).unwrap().is_empty());
    }

    #[test]
    fn a_store_without_its_keys_gets_no_new_ones() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(DATABASE), b"").unwrap();
        let refused = DataDir::new(root.path()).keys(None, &template()).err().unwrap();
        assert!(refused.to_string().contains("put back"), "{refused}");
    }

    #[test]
    fn keys_that_have_lost_their_store_begin_no_second_log() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::new(root.path());
        dir.keys(None, &template()).unwrap();
        assert!(dir.keys(None, &template()).is_ok(), "a first start that was interrupted goes on");
        dir.write_token("rf_x").unwrap();
        for store in [None, Some(b"")] {
            if let Some(bytes) = store {
                fs::write(root.path().join(DATABASE), bytes).unwrap();
            }
            let refused = dir.keys(None, &template()).err().unwrap();
            assert!(refused.to_string().contains("no store"), "{refused}");
        }
    }

    #[test]
    fn a_damaged_keys_file_is_refused_without_showing_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(KEYS), b"ledger = sesame").unwrap();
        let refused = DataDir::new(root.path()).read_keys().err().unwrap();
        assert!(!format!("{refused:#}").contains("sesame"), "{refused:#}");
    }

    #[test]
    fn an_older_copy_of_the_store_is_found_at_the_start() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::new(root.path().join("data"));
        dir.create().unwrap();
        let programme = Arc::new(template());
        let open = || {
            let keys = dir.keys(None, &programme)?;
            dir.open_exchange(
                Arc::new(SqliteStore::open(dir.path())?),
                &programme,
                keys,
                Arc::new(SystemClock::default()),
            )
        };
        drop(open().unwrap());
        let older = fs::read(dir.path().join(DATABASE)).unwrap();
        open().unwrap().issue_first_credential().unwrap();
        assert!(open().is_ok());
        fs::write(dir.path().join(DATABASE), older).unwrap();
        let refused = open().err().unwrap().to_string();
        assert!(refused.contains("lost its end") && refused.contains(CHECKPOINT), "{refused}");
        fs::remove_file(dir.path().join(CHECKPOINT)).unwrap();
        assert!(open().is_ok(), "the remedy that the error names");
    }
}
