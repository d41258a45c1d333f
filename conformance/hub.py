"""A hub of the real binary on a free port of this machine, and its command line."""
import json
import os
import pathlib
import subprocess


class Hub:
    def __init__(self, binary, folder):
        self.binary, self.folder = str(binary), pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.run(["init", self.folder / "programme"])
        self.log = open(self.folder / "hub.log", "wb")
        self.process = subprocess.Popen(
            [self.binary, "--json", "hub", "--programme", self.folder / "programme", "--data", self.folder / "data",
             "--listen", "127.0.0.1:0", "--origin", "conformance.example/jcsp"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the hub did not start: " + (self.folder / "hub.log").read_text(errors="replace")[-2000:])
        told = json.loads(line)
        self.url, self.vkey = told["url"], told["ledger"]["vkey"]
        self.token_file = self.folder / "data" / "operator.token"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        self.log.close()
        if code != 0:
            raise SystemExit(f"the hub ended with {code}: {(self.folder / 'hub.log').read_text(errors='replace')[-2000:]}")

    def run(self, arguments, statuses=(0,)):
        """One command that needs no hub, or brings its own connection; its JSON."""
        done = subprocess.run([self.binary, "--json", *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, env={**os.environ, "RINGFENCE_LOG": "warn"})
        if done.returncode not in statuses:
            raise SystemExit(f"ringfence {' '.join(map(str, arguments))}: {done.returncode}: {done.stderr.decode()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def cli(self, *arguments, statuses=(0,)):
        """One command of the operator."""
        return self.run([*arguments, "--hub", self.url, "--token-file", self.token_file], statuses)

    def member(self, name, *tiers, kind="provider"):
        self.cli("member", "add", name, "--kind", kind, *(word for tier in tiers for word in ("--tier", tier)))
        return name

    def account(self, *arguments):
        """A new credential, as LOGIN:PASSWORD."""
        issued = self.cli("token", "add", *arguments)
        return f"{issued['credential']['login']}:{issued['secret']}"
