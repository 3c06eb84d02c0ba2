"""`lint`: files checked before they meet a cluster."""

from __future__ import annotations

import argparse
from typing import Any

from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError
from sark_cli.lint.access import check_access
from sark_cli.lint.check import check, is_ours, told
from sark_cli.lint.documents import Document, read
from sark_cli.lint.finding import Finding, Level, spelled
from sark_cli.out import Out
from sark_cli.prometheus_config import prometheus_servers


def run(options: argparse.Namespace, out: Out) -> int:
    """Check every SarkRollout in the files."""
    documents = [document for file in options.file for document in read(file)]
    ours = [document for document in documents if is_ours(document)]
    if not ours:
        raise CommandError(f"there is no SarkRollout in {', '.join(options.file)}: nothing was checked")
    servers = prometheus_servers(options.prometheus_config) if options.prometheus_config else None
    connection = None
    if options.server:
        from sark_cli.connection import connect

        connection = connect(options)
    results: list[tuple[Document, list[Finding]]] = []
    for document in ours:
        findings = check(document, options.traffic)
        if servers is not None and not any(each.level is Level.ERROR for each in findings):
            findings += check_access(document.value, servers, connection.namespace if connection else options.namespace)
        if connection is not None:
            from sark_cli.lint.server import ask_server

            findings += ask_server(connection, document.value)
        results.append((document, findings))
    found = [finding for _, findings in results for finding in findings]
    errors = sum(1 for finding in found if finding.level is Level.ERROR)
    if out.wants_data:
        out.data([data(document, finding) for document, findings in results for finding in findings])
    else:
        for document, findings in results:
            out.lines(*told(document, findings))
        out.lines(summary(len(ours), len(documents) - len(ours), errors, len(found) - errors, server=options.server))
    return ExitCode.FAILED if errors or (options.strict and found) else ExitCode.DONE


def data(document: Document, finding: Finding) -> dict[str, Any]:
    """Return a finding for programs."""
    return {
        "file": document.file,
        "line": document.line(finding.path),
        "level": str(finding.level),
        "path": spelled(finding.path),
        "message": finding.message,
    }


def summary(checked: int, others: int, errors: int, warnings: int, *, server: bool) -> str:
    """Return the last line: what was checked, and by whom."""
    skipped = f", {others} other documents passed over" if others else ""
    by = "here and by the API server" if server else "offline"
    return f"{checked} checked {by}{skipped}: {errors} errors, {warnings} warnings"
