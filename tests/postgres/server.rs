//! A private PostgreSQL server for tests: on a Unix socket, in a temporary folder, and gone when the
//! process is, however it ends.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: a failure here is a failed test, and not every one needs all of it"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::missing;

/// Who the tests are on the server.
pub(crate) const USER: &str = "zimogs";

/// The server's own account, where the tests run as root: PostgreSQL refuses to.
const ACCOUNT: &str = "postgres";

/// A server that runs until this is dropped, or the process ends.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    /// Waits for the end of this process, and then stops the server.
    guard: Child,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// What a server is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Many short tests: what a power cut would take is no loss.
    Quick,
    /// A test that kills it.
    Durable,
    /// A test that restores it to a moment: its WAL is archived.
    Archived,
}

/// A copy of a server's files, which another server can be made of.
pub(crate) struct BaseBackup {
    folder: PathBuf,
    archive: PathBuf,
}

impl Cluster {
    /// Starts a server; none where PostgreSQL is not installed, which is said.
    pub(crate) fn start(server: Server) -> Option<Self> {
        let Some(programs) = programs() else {
            missing::program("PostgreSQL");
            return None;
        };
        let folder = make_folder();
        let made = as_account(&programs.join("initdb"))
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
            .args(["--no-sync", "--no-instructions", "--pgdata"])
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let durable = match server {
            Server::Quick => "off",
            Server::Durable | Server::Archived => "on",
        };
        let mut settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\nshared_buffers = 32MB\nfsync = {durable}\nfull_page_writes = {durable}\nautovacuum_naptime = 5s\n",
            folder.display(),
        );
        if server == Server::Archived {
            let archive = folder.join("archive");
            assert!(
                as_account("mkdir".as_ref())
                    .arg(&archive)
                    .status()
                    .unwrap()
                    .success()
            );
            settings += &format!(
                "archive_mode = on\narchive_command = 'test ! -f {0}/%f && cp %p {0}/%f'\n",
                archive.display()
            );
        }
        fs::write(folder.join("data/postgresql.auto.conf"), settings).unwrap();
        Some(Self::run(folder))
    }

    /// Copies the files of this server while it works.
    pub(crate) fn base_backup(&self) -> BaseBackup {
        let folder = make_folder();
        let copied = as_account(&programs().unwrap().join("pg_basebackup"))
            .args(["--username", USER, "--checkpoint", "fast", "--host"])
            .arg(&self.folder)
            .arg("--pgdata")
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(
            copied.status.success(),
            "{}",
            String::from_utf8_lossy(&copied.stderr)
        );
        BaseBackup {
            folder,
            archive: self.folder.join("archive"),
        }
    }

    /// Names this moment, and waits until all up to it is archived.
    pub(crate) fn restore_point(&self, name: &str) {
        let point = format!("SELECT pg_walfile_name(pg_create_restore_point('{name}'))");
        let file = self.ask(&point);
        self.ask("SELECT pg_switch_wal()");
        let archived = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver";
        while self.ask(archived) < file {}
    }

    /// Asks the server for one text, or has it do something, as its owner.
    pub(crate) fn ask(&self, sql: &str) -> String {
        self.ask_in("postgres", sql)
    }

    /// As [`Cluster::ask`], in a database of its own.
    pub(crate) fn ask_in(&self, database: &str, sql: &str) -> String {
        let answer = self.psql(database, sql);
        assert!(
            answer.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        Command::new(programs().unwrap().join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--username", USER, "--dbname", database, "--host"])
            .arg(&self.folder)
            .args(["--command", sql])
            .output()
            .unwrap()
    }

    /// Waits until it has recovered from the death of a process of its own: that could not take itself
    /// off the list, which is made anew with all that the server remembers.
    pub(crate) fn recovered_from(&self, process: i32) {
        let listed = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
        loop {
            let answer = self.psql("postgres", &listed);
            if answer.status.success() && answer.stdout.trim_ascii() == b"0" {
                return;
            }
        }
    }

    /// Makes a server of a copy and of what was archived since, up to a named moment.
    pub(crate) fn restored(backup: BaseBackup, until: &str) -> Self {
        Self::recovered(backup, &format!("recovery_target_name = '{until}'"))
    }

    /// The same up to a moment by the clock, as [`Cluster::moment`] has it.
    pub(crate) fn restored_at(backup: BaseBackup, moment: &str) -> Self {
        Self::recovered(backup, &format!("recovery_target_time = '{moment}'"))
    }

    /// Returns the server's time, with what it is off.
    pub(crate) fn moment(&self) -> String {
        self.ask("SELECT clock_timestamp()")
    }

    fn recovered(backup: BaseBackup, target: &str) -> Self {
        let file = backup.folder.join("data/postgresql.auto.conf");
        let settings = format!(
            "{}unix_socket_directories = '{}'\narchive_mode = off\nrestore_command = 'cp {}/%f %p'\n{target}\nrecovery_target_action = promote\n",
            fs::read_to_string(&file).unwrap(),
            backup.folder.display(),
            backup.archive.display(),
        );
        fs::write(&file, settings).unwrap();
        let signal = backup.folder.join("data/recovery.signal");
        assert!(
            as_account("touch".as_ref())
                .arg(signal)
                .status()
                .unwrap()
                .success()
        );
        let restored = Self::run(backup.folder);
        while restored.ask("SELECT pg_is_in_recovery()") == "t" {}
        restored
    }

    /// Starts the server of a folder's data.
    fn run(folder: PathBuf) -> Self {
        let programs = programs().unwrap();
        // The shell outlives this process by the time it takes to stop the server: it ends it by the
        // process id that the server wrote down, and removes the folder.
        let script = r#"
            trap '' INT HUP TERM
            folder=$1 pg_ctl=$2; shift 2
            cd /
            "$@" "$pg_ctl" --pgdata "$folder/data" --silent --wait --log "$folder/log" start || exit 1
            echo ready
            cat >/dev/null
            "$@" "$pg_ctl" --pgdata "$folder/data" --silent --wait --mode immediate stop
            rm -rf "$folder"
        "#;
        let mut guard = Command::new("sh")
            .args(["-c", script, "guard"])
            .arg(&folder)
            .arg(programs.join("pg_ctl"))
            .args(account())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(guard.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        assert_eq!(
            said,
            "ready\n",
            "{:?}",
            fs::read_to_string(folder.join("log"))
        );
        Self { folder, guard }
    }

    /// Returns the process id of the server.
    pub(crate) fn postmaster(&self) -> i32 {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }

    /// Starts it again after its end.
    pub(crate) fn restart(&self) {
        let program = programs().unwrap().join("pg_ctl");
        // While processes of the one before are still ending, it refuses.
        for _ in 0..100 {
            let started = as_account(&program)
                .arg("--pgdata")
                .arg(self.folder.join("data"))
                .args(["--silent", "--wait", "--log"])
                .arg(self.folder.join("log"))
                .arg("start")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            if started.success() {
                return;
            }
        }
        panic!("{:?}", fs::read_to_string(self.folder.join("log")));
    }
}

/// Returns what runs a program as somebody who may run a server.
fn account() -> &'static [&'static str] {
    match is_root() {
        true => &[
            "setpriv",
            "--reuid",
            ACCOUNT,
            "--regid",
            ACCOUNT,
            "--init-groups",
        ],
        false => &["env"],
    }
}

/// Returns a call of a program as somebody who may run a server.
fn as_account(program: &Path) -> Command {
    let account = account();
    let mut command = Command::new(account[0]);
    command.args(&account[1..]).arg(program).current_dir("/");
    command
}

/// Makes a folder of the server's account.
fn make_folder() -> PathBuf {
    let folder = tempfile::Builder::new()
        .prefix("zimogs-pg-")
        .tempdir()
        .unwrap()
        .keep();
    if is_root() {
        let mut chown = Command::new("chown");
        assert!(chown.arg(ACCOUNT).arg(&folder).status().unwrap().success());
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Returns the folder of the newest server's programs.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= 15 && programs.join("initdb").is_file()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Names a database of the server whose socket is in this folder.
pub(crate) fn url(socket: &Path, database: &str) -> String {
    format!(
        "postgres:///{database}?host={}&user={USER}",
        socket.display()
    )
}
