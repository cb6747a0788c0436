"""Keeps the models in memory equal to what the push directory asks for."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from pathlib import Path

from pipeline_config import UserInputError
from serving import metrics
from serving.errors import NotServedError
from serving.loaded_version import LoadedVersion
from serving.push_directory.layout import content_stamp, list_versions, model_folders
from serving.push_directory.manifest import find_damage, read_digests
from serving.push_directory.versions_json import VersionFile, read_version_file
from serving.served_model import ServedModel, VersionStatus
from serving.settings import ServerSettings

_LOG = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]


class PushDirectory:
    """The models of the push directory, which is read again and again.

    A new version is verified, loaded and warmed up before the old one is dropped. A version that is
    incomplete, differs from what was pushed or does not load is reported in the model's status and
    skipped until something in its folder changes. Nothing in the folder ends the watch.

    Args:
        settings: The folder, how often it is read, and the bounds of the batching.
        loading: Loads the versions, one after another.
        computing: Computes the batches.
    """

    def __init__(self, settings: ServerSettings, loading: Executor, computing: Executor) -> None:
        self._settings = settings
        self._loading = loading
        self._computing = computing
        self._models: dict[str, ServedModel] = {}
        self._policies: dict[str, VersionFile] = {}
        self._broken: dict[tuple[str, int], Stamp] = {}
        self._skipped: dict[tuple[str, int], str] = {}
        self._logged: dict[str, str] = {}
        self._stopped = asyncio.Event()
        self.looked = asyncio.Event()

    @property
    def models(self) -> Mapping[str, ServedModel]:
        """The models by name, with those of which no version has loaded."""
        return self._models

    @property
    def ready(self) -> bool:
        """Whether the folder was read and a model in it can answer."""
        return self.looked.is_set() and any(
            model.default is not None for model in self._models.values()
        )

    def find(self, name: str) -> ServedModel:
        """Returns a model.

        Raises:
            NotServedError: There is no such model.
        """
        if name not in self._models:
            known = ", ".join(sorted(self._models)) or "none yet"
            raise NotServedError(f"no model {name!r} is served; there is {known}")
        return self._models[name]

    def known_name(self, name: str) -> str:
        """Returns the name for a metric: that of a model, else `unknown`.

        A name from a request must not become a time series of its own.
        """
        return name if name in self._models else "unknown"

    async def watch(self) -> None:
        """Reads the folder again and again until `stop` is called."""
        while not self._stopped.is_set():
            await self.look()
            self.looked.set()
            try:
                await asyncio.wait_for(self._stopped.wait(), self._settings.poll_seconds)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Ends `watch`."""
        self._stopped.set()

    async def look(self) -> None:
        """Reads the folder once; loads and drops versions as needed."""
        try:
            folders = await asyncio.to_thread(model_folders, self._settings.models_dir)
        except OSError as error:
            # Models stay loaded while the file system is unavailable.
            self._log_once(str(self._settings.models_dir), f"cannot be read: {error}")
            return
        self._logged.pop(str(self._settings.models_dir), None)
        for gone in self._models.keys() - {folder.name for folder in folders}:
            self._remove(gone)
        await asyncio.gather(*(self._follow(folder) for folder in folders))

    async def _follow(self, folder: Path) -> None:
        try:
            await self._follow_readable(folder)
        except Exception as error:
            # An error in one model's folder affects neither the others nor the server.
            if self._log_once(f"{folder}: left as it was", f"{type(error).__name__}: {error}"):
                _LOG.exception("a bug in the watch of %s", folder)

    async def _follow_readable(self, folder: Path) -> None:
        try:
            numbers = await asyncio.to_thread(list_versions, folder)
        except OSError as error:
            self._log_once(str(folder), f"cannot be read: {error}")
            return
        versions = {number: folder / str(number) for number in numbers}
        policy = await asyncio.to_thread(self._policy, folder)
        model = self._models.get(folder.name)
        if model is None:
            if not versions:
                return
            model = ServedModel(folder.name, self._settings, self._computing)
            self._models[folder.name] = model
        default = await self._first_that_loads(model, policy.by_preference(versions), versions)
        labels = {
            label: number
            for label, number in policy.labels.items()
            if number in versions and await self._load(model, number, versions[number])
        }
        self._settle(model, default, labels, versions)

    def _policy(self, folder: Path) -> VersionFile:
        """Returns the content of `versions.json`; of a malformed one, the content before."""
        try:
            self._policies[folder.name] = read_version_file(folder)
            self._logged.pop(str(folder), None)
        except (OSError, UserInputError) as error:
            self._log_once(str(folder), f"the policy before stays in force: {error}")
        return self._policies.get(folder.name, VersionFile())

    async def _first_that_loads(
        self, model: ServedModel, preferred: list[int], versions: Mapping[int, Path]
    ) -> int | None:
        for number in preferred:
            if await self._load(model, number, versions[number]):
                return number
        return None

    async def _load(self, model: ServedModel, number: int, folder: Path) -> bool:
        """Loads a version if needed; returns whether it is in memory."""
        try:
            reason = await asyncio.to_thread(find_damage, folder)
        except OSError as error:
            if number in model.loaded:
                # It stays loaded while the file system is unavailable.
                return True
            reason = f"it cannot be read: {error}"
        if reason is not None:
            self._skip(model, number, reason)
            return False
        self._skipped.pop((model.name, number), None)
        if number in model.loaded:
            return True
        stamp = await asyncio.to_thread(content_stamp, folder)
        if self._broken.get((model.name, number)) == stamp:
            return False
        model.statuses[number] = VersionStatus("LOADING")
        try:
            version = await asyncio.get_running_loop().run_in_executor(
                self._loading, LoadedVersion, model.name, number, folder
            )
        except Exception as error:
            # TensorFlow raises many classes for a folder that is not a model.
            self._broken[(model.name, number)] = stamp
            model.statuses[number] = VersionStatus("END", f"{type(error).__name__}: {error}")
            metrics.LOAD_FAILURES.labels(model.name).inc()
            _LOG.error("%s version %d does not load: %s", model.name, number, error)
            return False
        self._broken.pop((model.name, number), None)
        model.add(version)
        if await asyncio.to_thread(_unverified, folder):
            _LOG.warning(
                "%s version %d has no digests: its files are not verified", model.name, number
            )
        return True

    def _skip(self, model: ServedModel, number: int, reason: str) -> None:
        """Reports a version that cannot be served, once for each reason."""
        if self._skipped.get((model.name, number)) != reason:
            self._skipped[(model.name, number)] = reason
            metrics.LOAD_FAILURES.labels(model.name).inc()
            _LOG.error("%s version %d is passed over: %s", model.name, number, reason)
        if number not in model.loaded:
            model.statuses[number] = VersionStatus("END", reason)

    def _settle(
        self,
        model: ServedModel,
        default: int | None,
        labels: Mapping[str, int],
        versions: Collection[int],
    ) -> None:
        if default != model.default:
            _LOG.info(
                "%s: version %s answers now, before it was %s", model.name, default, model.default
            )
        model.choose(default, labels)
        for number in model.loaded.keys() - {default, *labels.values()}:
            model.drop(number)
            if reason := self._skipped.get((model.name, number)):
                model.statuses[number] = VersionStatus("END", reason)
        for number in model.statuses.keys() - set(versions) - model.loaded.keys():
            del model.statuses[number]
            self._broken.pop((model.name, number), None)
            self._skipped.pop((model.name, number), None)

    def _remove(self, name: str) -> None:
        model = self._models.pop(name)
        model.choose(None, {})
        for number in list(model.loaded):
            model.drop(number)
        _LOG.info("%s: the folder is gone, and with it the model", name)

    def _log_once(self, subject: str, reason: str) -> bool:
        """Logs an error when it appears, not at each read; returns whether it is new."""
        if self._logged.get(subject) == reason:
            return False
        self._logged[subject] = reason
        _LOG.error("%s: %s", subject, reason)
        return True


def _unverified(version_directory: Path) -> bool:
    try:
        return read_digests(version_directory) is None
    except (OSError, ValueError):
        return True
