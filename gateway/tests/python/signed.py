"""Requests that botocore signs and this module sends, so that they can be changed in between."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials

import peers
from program import REGION, AccessKey, Gateway

JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body or b"{}")

    @property
    def code(self) -> str:
        """`Success`, or the code of the error."""
        return "Success" if self.status == 200 else self.json["__type"]

    @property
    def message(self) -> str:
        return self.json.get("message", "")


@dataclass(frozen=True)
class Request:
    """A request as it is sent."""

    gateway: Gateway
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes
    method: str = "POST"

    def send(self) -> Answer:
        """Sends it on a connection of its own."""
        context = ssl.create_default_context(cafile=self.gateway.ca)
        connection = http.client.HTTPSConnection("localhost", self.gateway.port, timeout=60, context=context)
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(self.method, target, self.body, self.headers)
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        connection.close()
        peers.exchanged["signed requests of botocore"] += 1
        return answer

    def with_headers(self, **headers: str | None) -> Request:
        """With other headers than those that were signed; `None` takes one away."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in changed}
        return replace(self, headers=kept | {name: value for name, value in changed.items() if value is not None})

    def with_body(self, body: bytes) -> Request:
        """With another body than the one that was signed."""
        return replace(self, body=body)


@dataclass(frozen=True)
class Signed:
    """Signs requests with an access key."""

    gateway: Gateway
    key: AccessKey
    region: str = REGION
    service: str = "kms"
    # Seconds from now to the time of the signature.
    offset: float = 0
    # Of a request that is signed in its query string: how many seconds it is valid.
    expires: int | None = None

    def request(
        self,
        operation: str,
        parameters: dict[str, object] | bytes,
        headers: dict[str, str] | None = None,
        context: dict[str, object] | None = None,
    ) -> Request:
        """A request for an operation, with these headers beside those that every one has; its body as bytes is any."""
        body = parameters if isinstance(parameters, bytes) else json.dumps(parameters).encode()
        every = {"Content-Type": JSON, "X-Amz-Target": f"TrentService.{operation}"}
        request = botocore.awsrequest.AWSRequest("POST", f"{self.gateway.url}/", every | (headers or {}))
        request.context.update(context or {})
        with mock.patch.object(botocore.auth, "get_current_datetime", self._clock()):
            self._auth(body).add_auth(request)
        signed = {name: str(value) for name, value in request.headers.items()}
        return Request(self.gateway, request.url, signed, body)

    def _auth(self, body: bytes) -> botocore.auth.SigV4Auth:
        credentials = botocore.credentials.Credentials(self.key.id, self.key.secret)
        of = (credentials, self.service, self.region)
        auth = botocore.auth.SigV4Auth(*of) if self.expires is None else botocore.auth.SigV4QueryAuth(*of, self.expires)

        # The body is signed and not moved into the query string, as botocore does it with forms.
        def payload(request: object) -> str:
            unsigned = not request.context.get("payload_signing_enabled", True)
            return botocore.auth.UNSIGNED_PAYLOAD if unsigned else botocore.auth.sha256(body).hexdigest()

        auth.payload = payload
        return auth

    def _clock(self) -> Callable[[], datetime.datetime]:
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.offset)
        return lambda *_: moment
