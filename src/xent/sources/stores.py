"""Object stores and file systems of clusters, through pyarrow's own file systems."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.failures import shown, without_secrets

__all__ = ["SCHEMES", "Store", "store_of"]

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, or the files of the AWS command line",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "abfs": "the account's key, AZURE_CLIENT_ID and its like, or `az login`",
    "hdfs": "HADOOP_HOME and CLASSPATH",
}
_S3_OPTIONS = ("access_key", "secret_key", "session_token", "region", "scheme", "endpoint_override", "anonymous")
_CONNECT_SECONDS, _REQUEST_SECONDS, _TRIES = 5, 30, 3
_SECONDS_OF_NO_TRAFFIC = 20
_DENIED = re.compile(r"access.?denied|forbidden|\b40[13]\b|invalid.?access.?key|signature.?does|expired", re.IGNORECASE)


@dataclass(frozen=True)
class Store:
    """A store, and how its messages call it."""

    system: Any  # a pyarrow FileSystem
    name: str
    within: str  # what its paths begin with: "bucket/", "/", or nothing where the first folder is a bucket

    def open(self, uri: str) -> Any:
        """A file that can be read anywhere.

        Raises:
            SourceError: it is not there, or out of reach.
        """
        with _reaching(shown(uri)):
            return self.system.open_input_file(self._path(uri))

    def info(self, uri: str) -> Any:
        """Size and time of a file.

        Raises:
            SourceError: as `open`.
        """
        from pyarrow import fs

        with _reaching(shown(uri)):
            found = self.system.get_file_info(self._path(uri))
            if found.type == fs.FileType.NotFound:
                raise FileNotFoundError
        return found

    def below(self, folder: str, *, missing_is_file: bool) -> list[str] | None:
        """The paths, behind the bucket, of all files below a folder; None if it is a file, or may be one."""
        from pyarrow import fs

        base = self._below(folder).rstrip("/")
        with _reaching(self.name):
            kind = self.system.get_file_info(base).type
            if kind == fs.FileType.NotFound and folder.endswith("/"):
                raise FileNotFoundError
            if missing_is_file and kind != fs.FileType.Directory:
                return None
            found = self.system.get_file_info(fs.FileSelector(base, recursive=True))
        paths = [file.path for file in found if file.type == fs.FileType.File]
        return sorted(f"/{path.removeprefix(self.within)}" for path in paths)

    def _path(self, uri: str) -> str:
        return self._below(unquote(urlsplit(uri).path))

    def _below(self, path: str) -> str:
        return self.within + path.lstrip("/")


@lru_cache(maxsize=32)
def _connected(base: str, name: str) -> tuple[Any, str]:
    from pyarrow import fs  # needed for these addresses only

    with _reaching(name):
        if base.startswith("s3://"):
            return _s3(base), f"{urlsplit(base).netloc.rpartition('@')[2]}/"
        if base.startswith("abfs") and urlsplit(base).password:
            return _azure(base)
        system, path = fs.FileSystem.from_uri(base)
        return system, path if path in ("", "/") else f"{path.rstrip('/')}/"


def store_of(uri: str, name: str) -> Store:
    """The store that an address is in; connections are kept, one a bucket.

    Raises:
        SourceError: the address is none, or no connection comes about.
    """
    address = urlsplit(uri)
    system, within = _connected(address._replace(path="/").geturl(), name)
    return Store(system, name, within)


def _s3(uri: str) -> Any:
    from pyarrow import fs

    address = urlsplit(uri)
    options: dict[str, Any] = dict(parse_qsl(address.query))
    if unknown := sorted(set(options) - set(_S3_OPTIONS)):
        raise SourceError(
            f"{shown(uri)} has the unknown options {', '.join(unknown)}.\nBehind the ? may be {', '.join(_S3_OPTIONS)}."
        )
    if address.password:
        options |= {"access_key": unquote(address.username or ""), "secret_key": unquote(address.password)}
    if "anonymous" in options:
        options["anonymous"] = options["anonymous"].lower() in ("1", "true", "yes")
    return fs.S3FileSystem(
        **options,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_TRIES),
    )


def _azure(uri: str) -> tuple[Any, str]:
    """With the account's key, which pyarrow leaves out of addresses: account and container are where it has them."""
    from pyarrow import fs

    address = urlsplit(uri)
    user, key = unquote(address.username or ""), unquote(address.password or "")
    account, _, domain = (address.hostname or "").partition(".")
    kind, _, cloud = domain.partition(".")
    if kind in ("blob", "dfs"):
        places = {"blob_storage_authority": f".blob.{cloud}", "dfs_storage_authority": f".dfs.{cloud}"}
        return fs.AzureFileSystem(account, account_key=key, **places), f"{user}/" if user else ""
    scheme = "http" if dict(parse_qsl(address.query)).get("enable_tls") == "false" else "https"
    server = address.netloc.rpartition("@")[2]
    places = {"blob_storage_authority": server, "dfs_storage_authority": server}
    places |= {"blob_storage_scheme": scheme, "dfs_storage_scheme": scheme}
    return fs.AzureFileSystem(user, account_key=key, **places), ""


@contextmanager
def _reaching(name: str) -> Iterator[None]:
    """What a store answers, as an error that says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"{name} does not exist.\nCheck the address.") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, SourceError):
            raise
        text = without_secrets(" ".join(str(error).split()))[:300].rstrip(". ")
        kind = {"gcs": "gs", "abfss": "abfs"}.get(scheme := name.partition(":")[0], scheme)
        if _DENIED.search(text):
            advice = f"credentials ({_CREDENTIALS.get(kind)}) and what they may read"
            raise SourceError(f"{name} may not be read: {text}.\nCheck the {advice}.") from None
        advice = f"address, the network, and the credentials ({_CREDENTIALS.get(kind)})"
        raise SourceError(f"{name} cannot be reached: {text}.\nCheck the {advice}.") from None
