//! What the hub is compared with: nginx, medallion and `OpenTAXII`, started on files below `bench/work/`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::http::{TAXII_TYPE, basic, request, taxii_get};
use crate::objects;
use crate::process::{Process, free_port};

/// The only account of both TAXII servers.
const ACCOUNT: &str = "bench";

/// nginx, which serves files.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    pub(crate) port: u16,
    files: PathBuf,
}

impl Nginx {
    /// Starts nginx with a worker for each core, `sendfile`, open files kept open and no log.
    pub(crate) fn start(home: &Path) -> Result<Self> {
        let (port, files) = (free_port()?, home.join("files"));
        fs::create_dir_all(&files)?;
        let mut text = String::from("daemon off;\nworker_processes auto;\nerror_log stderr;\n");
        if is_root() {
            text.push_str("user root;\n");
        }
        let _ = write!(
            text,
            "pid {home}/nginx.pid;\nevents {{ worker_connections 1024; }}\nhttp {{\n  access_log off; sendfile on; \
             tcp_nopush on; tcp_nodelay on;\n  keepalive_requests 1000000000; keepalive_timeout 600s;\n  \
             open_file_cache max=2000 inactive=600s;\n  default_type \"{TAXII_TYPE}\";\n  \
             client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3; \
             uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;\n  \
             server {{ listen 127.0.0.1:{port}; root {files}; }}\n}}\n",
            home = home.display(),
            files = files.display(),
        );
        let settings = home.join("nginx.conf");
        fs::write(&settings, text)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(home).arg("-c").arg(&settings);
        let mut process = Process::start("nginx", &mut command, &home.join("nginx.log"))?;
        process.wait_for(port)?;
        Ok(Self { process, port, files })
    }

    /// Puts a file there, and gives the request for it.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        fs::write(self.files.join(name), bytes)?;
        Ok(taxii_get(&format!("/{name}"), ""))
    }
}

fn is_root() -> bool {
    crate::report::said(Command::new("id").arg("-u")) == "0"
}

/// A TAXII server of the Python index.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) port: u16,
    collection: String,
}

impl Peer {
    /// medallion with its memory backend, under waitress.
    pub(crate) fn medallion(work: &Path) -> Result<Self> {
        const ID: &str = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";
        let home = fresh(work, "medallion-run")?;
        let port = free_port()?;
        fs::write(
            home.join("config.json"),
            format!(
                "{{\"backend\":{{\"module\":\"medallion.backends.memory_backend\",\"module_class\":\"MemoryBackend\",\
                 \"filename\":\"data.json\"}},\"users\":{{\"{ACCOUNT}\":\"{ACCOUNT}\"}},\"taxii\":{{\"max_page_size\":1000}}}}"
            ),
        )?;
        fs::write(
            home.join("data.json"),
            format!(
                "{{\"/discovery\":{{\"title\":\"bench\",\"default\":\"/bench/\",\"api_roots\":[\"/bench/\"]}},\"bench\":{{\
                 \"information\":{{\"title\":\"bench\",\"versions\":[\"{TAXII_TYPE}\"],\"max_content_length\":33554432}},\
                 \"status\":[],\"collections\":[{{\"id\":\"{ID}\",\"title\":\"bench\",\"can_read\":true,\"can_write\":true,\
                 \"media_types\":[\"application/stix+json;version=2.1\"],\"manifest\":[],\"objects\":[]}}]}}}}"
            ),
        )?;
        fs::write(home.join("app.py"), "from medallion import load_app\napp = load_app('config.json')\n")?;
        let mut command = Command::new(tool(work, "medallion", "waitress-serve")?);
        command
            .arg(format!("--listen=127.0.0.1:{port}"))
            .arg("--threads=4")
            .arg("app:app")
            .current_dir(&home);
        let mut process = Process::start("medallion", &mut command, &home.join("log"))?;
        process.wait_for(port)?;
        Ok(Self { name: "medallion", process, port, collection: format!("/bench/collections/{ID}/") })
    }

    /// `OpenTAXII` on `SQLite`, under gunicorn with two workers.
    pub(crate) fn opentaxii(work: &Path) -> Result<Self> {
        let home = fresh(work, "opentaxii-run")?;
        let port = free_port()?;
        let shown = home.display();
        fs::write(
            home.join("config.yml"),
            format!(
                "---\ndomain: \"127.0.0.1:{port}\"\nsupport_basic_auth: yes\nauth_api:\n  class: \
                 opentaxii.auth.sqldb.SQLDatabaseAPI\n  parameters:\n    db_connection: sqlite:///{shown}/auth.db\n    \
                 create_tables: yes\n    secret: a-secret-for-the-bench-alone-of-32-bytes\n    token_ttl_secs: 3600\ntaxii1:\n\
                 taxii2:\n  contact: \"bench\"\n  title: \"bench\"\n  description: \"bench\"\n  max_content_length: 33554432\n  \
                 public_discovery: yes\n  allow_custom_properties: yes\n  persistence_api:\n    class: \
                 opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI\n    parameters:\n      db_connection: \
                 sqlite:///{shown}/data.db\n      create_tables: yes\nlogging:\n  opentaxii: error\n  root: error\n"
            ),
        )?;
        // As released it cannot write its ids as JSON: it stores what was sent and answers 500. One line helps it.
        fs::write(
            home.join("app.py"),
            "import json, uuid\n\
             encode = json.JSONEncoder.default\n\
             json.JSONEncoder.default = lambda self, o: str(o) if isinstance(o, uuid.UUID) else encode(self, o)\n\
             from opentaxii.http import app\n",
        )?;
        // The program makes both ids itself and prints neither.
        fs::write(
            home.join("make.py"),
            "from opentaxii.cli import app\n\
             with app.app_context():\n    \
                 api = app.taxii_server.servers.taxii2.persistence.api\n    \
                 root = api.add_api_root('bench', 'bench', True)\n    \
                 collection = api.add_collection(root.id, 'bench', 'bench', None, True, True)\n    \
                 print('ids', root.id, collection.id)\n",
        )?;
        let with = |program: &str| -> Result<Command> {
            let mut command = Command::new(tool(work, "opentaxii", program)?);
            command.current_dir(&home).env("OPENTAXII_CONFIG", home.join("config.yml"));
            Ok(command)
        };
        let made = with("opentaxii-create-account")?.args(["-u", ACCOUNT, "-p", ACCOUNT, "-a"]).output()?;
        ensure!(
            made.status.success(),
            "making OpenTAXII's account: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let made = with("python")?.arg("make.py").output()?;
        let said = String::from_utf8_lossy(&made.stdout).into_owned();
        let ids = said.lines().find_map(|line| line.strip_prefix("ids ")).and_then(|ids| ids.split_once(' '));
        let (root, collection) = ids.with_context(|| {
            format!("making OpenTAXII's collection: {}", String::from_utf8_lossy(&made.stderr))
        })?;
        let mut command = with("gunicorn")?;
        command
            .args(["--workers", "2", "--no-control-socket", "--bind"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("app:app");
        let mut process = Process::start("OpenTAXII", &mut command, &home.join("log"))?;
        process.wait_for(port)?;
        Ok(Self {
            name: "OpenTAXII",
            process,
            port,
            collection: format!("/taxii2/{root}/collections/{collection}/"),
        })
    }

    pub(crate) fn submission(&self, first: u64, count: u64) -> Vec<u8> {
        let body = objects::envelope(first, count, "");
        request("POST", &format!("{}objects/", self.collection), &basic(ACCOUNT, ACCOUNT), TAXII_TYPE, &body)
    }

    pub(crate) fn page(&self, limit: u64) -> Vec<u8> {
        taxii_get(&format!("{}objects/?limit={limit}", self.collection), &basic(ACCOUNT, ACCOUNT))
    }

    pub(crate) fn collection(&self) -> Vec<u8> {
        taxii_get(&self.collection, &basic(ACCOUNT, ACCOUNT))
    }
}

fn tool(work: &Path, environment: &str, program: &str) -> Result<PathBuf> {
    let path = work.join(environment).join("bin").join(program);
    ensure!(path.exists(), "`{}` is not there; run bench/setup.sh", path.display());
    Ok(path)
}

fn fresh(work: &Path, name: &str) -> Result<PathBuf> {
    let home = work.join(name);
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::create_dir_all(&home)?;
    Ok(home)
}
