//! A PostgreSQL server of this program's own: on a Unix socket, in a temporary folder, and gone with
//! this value. What it commits is on disk, as an office's server would have it.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where Debian keeps the servers' programs, by version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Who owns the server's files where this program runs as root: PostgreSQL refuses to.
const ACCOUNT: &str = "postgres";

/// Who the store is on the server.
const USER: &str = "zimogs";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    server: Child,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: it ends its sessions, and itself.
        let id = self.server.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.server.wait();
    }
}

impl Postgres {
    /// Starts a server; none where none is installed.
    pub(crate) fn start() -> Result<Option<Self>, Box<dyn Error>> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("zimogs-pg-").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        if is_root()? {
            let owned = Command::new("chown")
                .arg(ACCOUNT)
                .arg(folder.path())
                .status()?;
            if !owned.success() {
                return Err("the server's folder cannot be given to its account".into());
            }
        }
        let data = folder.path().join("data");
        let made = as_account(&programs.join("initdb"))?
            .args([
                "--username",
                USER,
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            .arg("--pgdata")
            .arg(&data)
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        let server = as_account(&programs.join("postgres"))?
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses="])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let postgres = Self {
            folder,
            programs,
            server,
        };
        postgres.wait_ready()?;
        Ok(Some(postgres))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a server that is started this way tells nobody that it is ready: ask again"
    )]
    fn wait_ready(&self) -> Result<(), Box<dyn Error>> {
        let until = Instant::now() + PATIENCE;
        while !self.call("pg_isready").arg("--quiet").status()?.success() {
            if Instant::now() > until {
                return Err("the PostgreSQL server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Returns the URL of the database that is there from the beginning.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!("postgres:///postgres?host={folder}&user={USER}")
    }

    /// Returns how many of pgbench's own simple transactions (an update, a look, an insertion) the
    /// server does a second for so many clients at once.
    pub(crate) fn pgbench(&self, clients: u32) -> Result<f64, Box<dyn Error>> {
        let made = self
            .call("pgbench")
            .args(["--initialize", "--scale", "10", "--quiet", "postgres"])
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        let (clients, seconds) = (clients.to_string(), if cfg!(test) { "1" } else { "10" });
        let ran = self
            .call("pgbench")
            .args([
                "--builtin",
                "simple-update",
                "--protocol",
                "prepared",
                "--jobs",
                "2",
            ])
            .args(["--client", &clients, "--time", seconds, "postgres"])
            .output()?;
        rate(&ran)
    }

    /// Returns how many insertions of so many bytes, each its own commit, the server does a second
    /// where so many clients do that and nothing else.
    pub(crate) fn bare_commits(
        &self,
        clients: u32,
        commits: u32,
        bytes: u64,
    ) -> Result<f64, Box<dyn Error>> {
        // What is stored is as long as it looks: PostgreSQL would press a row of one letter.
        let table = "CREATE TABLE bare (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row TEXT NOT NULL);
            ALTER TABLE bare ALTER COLUMN row SET STORAGE EXTERNAL";
        let made = self
            .call("psql")
            .args(["--quiet", "--command", table, "postgres"])
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        let script = self.folder.path().join("bare.sql");
        fs::write(
            &script,
            format!("INSERT INTO bare (row) VALUES (repeat('Z', {bytes}));\n"),
        )?;
        let (each, clients) = ((commits / clients).to_string(), clients.to_string());
        let ran = self
            .call("pgbench")
            .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"])
            .args(["--client", &clients, "--transactions", &each])
            .arg("--file")
            .arg(&script)
            .arg("postgres")
            .output()?;
        rate(&ran)
    }

    /// Returns a call of one of its clients.
    fn call(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(self.folder.path());
        command.args(["--username", USER]);
        command
    }
}

/// Returns the transactions a second that pgbench says.
fn rate(ran: &Output) -> Result<f64, Box<dyn Error>> {
    let said = String::from_utf8_lossy(&ran.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split(' ').next());
    let rate = rate.ok_or_else(|| String::from_utf8_lossy(&ran.stderr).into_owned())?;
    Ok(rate.parse()?)
}

/// Returns the folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?;
    let versions = versions.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= 15 && programs.join("initdb").is_file()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

/// Tells whether this program runs as root.
fn is_root() -> Result<bool, Box<dyn Error>> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Returns a call of a program as somebody who may run a server.
fn as_account(program: &Path) -> Result<Command, Box<dyn Error>> {
    let mut command = match is_root()? {
        false => Command::new(program),
        true => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"])
                .arg(program);
            command
        }
    };
    command.current_dir("/");
    Ok(command)
}
