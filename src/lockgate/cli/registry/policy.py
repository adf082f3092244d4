"""``lockgate policy``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import fetch_ledger, repository_option
from lockgate.cli.terminal.text import align_columns
from lockgate.data.io.visible import visible
from lockgate.errors import UsageError
from lockgate.registry.ledger.policy_file import POLICY_FILE, PolicyFile
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.trust import main_branch, read_from_main, read_policy

__all__ = ["command"]


@click.command(
    "policy",
    epilog=examples("""
        lockgate policy
        lockgate policy --write                      # from the gates of conf/
        lockgate policy --write --stage canary --stage prod
    """),
)
@click.option("--write", is_flag=True, help="Write .lockgate/policy.yaml from the project's gates.")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="STAGE",
    help="With --write: stage to declare; may be repeated.",
    show_default="staging and prod, in a new file",
)
@click.option("--offline", is_flag=True, help="Do not fetch.")
@repository_option
def command(write: bool, stages: tuple[str, ...], offline: bool, root: str) -> int:
    """Show which gates guard each stage, and who may promote to it.

    What counts is the file .lockgate/policy.yaml as it is committed to the main
    branch (the remote's, if the repository has a remote), or else the gates of
    params.yaml there. Protect the main branch: whoever changes the policy there
    changes what may reach production. Nothing else replaces it but `lockgate
    promote --override --reason`, which stays visible.

    With --write the gates of the project's params.yaml become the policy of the
    stages: a gate that is limited to stages (gate.signed.stages=prod) guards
    those. In a file that exists, the gates of the named stages are replaced; other
    stages, promoters and models stay, comments do not. Commit it to the main
    branch then.

    Exit codes: 0, all gates can be run here; 1, a gate cannot, or no policy exists.
    """
    if write:
        return _write(root, stages)
    if stages:
        raise UsageError("--stage needs --write")
    from lockgate.registry.gates.policy import policy_problems

    ledger = fetch_ledger(root, offline=offline)
    policy = read_policy(ledger.repository)
    if policy is None:
        click.echo("the main branch has no policy: nothing can be promoted without --override")
        click.echo("Next: lockgate policy --write, and commit the file to the main branch")
        return 1
    branch = main_branch(ledger.repository)
    assert branch is not None  # it has the policy
    click.echo(f"{policy.source} of {branch.label} (commit {branch.commit[:12]}):")
    rows = [
        [
            visible(row.model),
            visible(row.stage),
            ", ".join(map(visible, row.gates)) or "no gates",
            ", ".join(map(visible, row.policy.promoters)) or "all that may push",
        ]
        for row in policy.rows()
    ]
    click.echo("\n".join(align_columns([["model", "stage", "gates", "may promote"], *rows])))
    for line in _settings(policy):
        click.echo(line)
    if note := _other_file(ledger.repository):
        click.echo(note, err=True)
    problems = policy_problems(policy)
    for problem in problems:
        click.secho(visible(problem, limit=None), fg="red", err=True)
    return 1 if problems else 0


def _settings(policy: PolicyFile) -> Iterator[str]:
    """Yield the settings of the gates and evaluators that have some, by model and stage."""
    for row in policy.rows():
        of = "" if row.model == row.stage == "every" else f" of {row.model} {row.stage}"
        for kind, plugins in (("gate", row.policy.gates), ("evaluator", row.policy.evaluators)):
            for name, fields in plugins.items():
                settings = [f"{key}={value}" for key, value in fields.items() if key != "plugin"]
                if settings:
                    yield f"{kind} {visible(name)}{visible(of)}: {visible(', '.join(settings))}"


def _other_file(repository: Repository) -> str:
    """Return a note if the policy file of the work tree is another one; empty if not."""
    path = repository.top / POLICY_FILE
    if not path.is_file() or path.read_bytes() == read_from_main(repository, POLICY_FILE):
        return ""
    return (
        f"note: {POLICY_FILE} of this work tree is another one; it counts once it is committed to "
        "the main branch, and pushed"
    )


def _write(root: str, stages: tuple[str, ...]) -> int:
    from lockgate.registry.gates.policy import write_policy

    path = write_policy(Path(root), stages)
    click.echo(f"written: {path}")
    click.echo("Next: git add .lockgate/policy.yaml, commit it to the main branch, and push that")
    return 0
