"""Build the part that is written in C; without a compiler the package is installed all the same, in Python alone.

``TENSORBRIDGE_COMPILED=0`` leaves it out, ``TENSORBRIDGE_COMPILED=1`` fails where it cannot be built.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "tensorbridge_cli.tracing.inside._counting"


class CompiledPart(BuildHookInterface):
    """Adds the compiled module to a wheel, which then is for one version of Python and one platform."""

    def initialize(self, version, build_data):
        """Build it: beside its source for an editable installation, else in a folder that is removed afterwards."""
        wanted = os.environ.get("TENSORBRIDGE_COMPILED", "")
        if wanted == "0":
            return
        self._folder = tempfile.mkdtemp()
        try:
            built = _build(Path(self.root), Path(self._folder))
        except Exception as error:  # no compiler, no headers, no setuptools
            if wanted == "1":
                raise
            self.app.display_warning(f"the compiled part is left out, the recorder will be slower: {error}")
            return
        place = built.relative_to(self._folder)
        if version == "editable":
            shutil.copy(built, Path(self.root) / place)
        else:
            build_data["force_include"][str(built)] = place.as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version, build_data, artifact_path):
        """Remove what was built, which is in the wheel now."""
        shutil.rmtree(getattr(self, "_folder", ""), ignore_errors=True)


def _build(root: Path, folder: Path) -> Path:
    """Compile the module into its place below ``folder``; return its file."""
    from setuptools import Distribution, Extension  # only where something is built

    source = str(Path(*MODULE.split(".")).with_suffix(".c"))
    command = Distribution({"ext_modules": [Extension(MODULE, [source])]}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder), str(folder / "objects")
    command.ensure_finalized()
    before = os.getcwd()
    os.chdir(root)  # setuptools takes no source by an absolute path
    try:
        command.run()
    finally:
        os.chdir(before)
    return Path(command.get_outputs()[0])
