"""The server as its users run it."""

from __future__ import annotations

import configparser
import json
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("OBJSEAL_GATEWAY", ROOT / "target/debug/objseal-gateway"))
ACCOUNT = "000000000000"
REGION = "us-east-1"
# Whatever takes longer has failed: nothing here waits for time to pass.
PATIENCE = 60


def arn(name: str, account: str = ACCOUNT) -> str:
    """A principal: `root`, `user/alice`, `role/s3`."""
    return f"arn:aws:iam::{account}:{name}"


def allow_all(**more: object) -> dict[str, object]:
    """A policy of an account for a principal."""
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", **more}
    return {"Version": "2012-10-17", "Statement": statement}


@dataclass(frozen=True)
class AccessKey:
    """Whoever has it, and for whom it stands."""

    id: str
    secret: str
    principal: str


class Gateway:
    """A server with a store and access keys of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.access_keys = folder / "access-keys.json"
        self.ca = folder / "tls" / "ca.pem"
        self.secrets: set[str] = set()
        self._process: subprocess.Popen[str] | None = None
        self._told: list[str] = []
        self._more = threading.Condition()
        with open(os.open(folder / "store.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(32))

    def add(self, principal: str, *options: str, policy: object | None = None) -> AccessKey:
        """Makes an access key. A server that runs takes it after a SIGHUP."""
        if policy is not None:
            path = self.folder / "policy.json"
            path.write_text(json.dumps(policy))
            options = (*options, "--policy", str(path))
        command = [PROGRAM, "credential", "add", "--credentials", self.access_keys, "--principal", principal, *options]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        # As aws-cli reads it.
        profile = configparser.RawConfigParser()
        profile.read_string(printed)
        fields = profile["default"]
        key = AccessKey(fields["aws_access_key_id"], fields["aws_secret_access_key"], principal)
        self.secrets.add(key.secret)
        return key

    def remove(self, key: AccessKey) -> None:
        """Removes an access key."""
        command = [PROGRAM, "credential", "remove", "--credentials", self.access_keys, key.id]
        subprocess.run(command, check=True)

    def start(self, *options: str) -> Gateway:
        """Starts it, and returns when it answers."""
        store = ["--store", self.folder / "keys.kms", "--store-key", f"file:{self.folder / 'store.key'}"]
        network = ["--credentials", self.access_keys, "--listen", "127.0.0.1:0", "--tls", self.folder / "tls"]
        # Tests ask for much that is denied.
        bounds = [] if "--denials" in options else ["--denials", "1000000"]
        command = [PROGRAM, "kms", *store, *network, *bounds, *options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OBJSEAL_"))}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True).start()
        ready = self._process.stdout.readline()
        if not ready.startswith("listening on https://127.0.0.1:"):
            self._process.wait(PATIENCE)
            raise AssertionError(f"the server did not start: {ready}{''.join(self._told)}")
        self.port = int(ready.rpartition(":")[2])
        self.url = f"https://localhost:{self.port}"
        return self

    def _listen(self, stderr: object) -> None:
        for line in stderr:
            with self._more:
                self._told.append(line)
                self._more.notify_all()

    def reload(self) -> str:
        """Has it read its files again; what it says of its access keys."""
        with self._more:
            before = len(self._told)
            self._process.send_signal(signal.SIGHUP)

            def answer() -> str:
                return next((line for line in self._told[before:] if " credentials" in line), "")

            assert self._more.wait_for(answer, PATIENCE), f"no answer to SIGHUP: {self._told[before:]}"
            return answer()

    def stop(self) -> int:
        """Ends it as a service manager does; its exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)
        self._told.append(process.stdout.read())
        return code

    def told(self) -> str:
        """All that it has said."""
        with self._more:
            return "".join(self._told)

    def audit(self) -> list[dict[str, object]]:
        """The lines of its log of who did what. The first line of each file is its head."""
        paths = sorted((self.folder / "keys.kms.audit").glob("audit-*.jsonl"))
        lines = [line for path in paths for line in path.read_text().splitlines()[1:]]
        return [json.loads(line) for line in lines]
