"""Packs docs/ into the wheel as application/docs, where the server finds the pages of its help."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithDocs(build_py):
    """Builds the packages, then puts the documentation among them."""

    def run(self) -> None:
        """Build."""
        super().run()
        if self.editable_mode:
            return  # a checkout is read where it lies
        for page in Path("docs").rglob("*.md"):
            to = Path(self.build_lib) / "application" / page
            self.mkpath(str(to.parent))
            self.copy_file(str(page), str(to))


setup(cmdclass={"build_py": WithDocs})
