"""The steps of the gate, each in an environment of its own: ``nox -l`` lists them, ``nox -s tests`` runs one."""

import nox

nox.options.sessions = ["tests", "lint", "types"]


def install(session: nox.Session, *extras: str) -> None:
    """Install the package with ``extras``, on the versions that it is tested on."""
    session.install("-c", "constraints.txt", "-e", f".[{','.join(extras)}]")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast tests."""
    install(session, "docs", "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the slow tests: sweeps, browsers, notebooks, real programs."""
    install(session, "docs", "test")
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session
def sweep(session: nox.Session) -> None:
    """Run the slow tests with every case, of which the gate makes a sample."""
    install(session, "docs", "test")
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs, env={"TENSORBRIDGE_SWEEP": "full"})


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the fast tests; report the lines and branches of the package that they reach."""
    install(session, "docs", "test")
    reached = session.create_tmp()
    session.run("python", "-m", "pytest", *session.posargs, env={"TESTS_REACHED": reached})
    session.run("python", "-m", "tests.reached", reached)


@nox.session
def lint(session: nox.Session) -> None:
    """Run the linter and the formatter's check."""
    session.install("-c", "constraints.txt", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    install(session, "test")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site; a warning is an error."""
    install(session, "docs")
    session.run("python", "-m", "sphinx", "-W", "-q", "-E", "docs", "docs/_build")
