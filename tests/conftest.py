"""Turns skipped tests into failures where SQUEEZE_TF_NO_SKIPS is 1."""

import os

import pytest


def pytest_configure(config):
    if os.environ.get("SQUEEZE_TF_NO_SKIPS") == "1":
        config.pluginmanager.register(NoSkips(), "no_skips")


class NoSkips:
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self):
        outcome = yield
        _fail_if_skipped(outcome.get_result())

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self):
        outcome = yield
        _fail_if_skipped(outcome.get_result())


def _fail_if_skipped(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"{report.nodeid} was skipped, which SQUEEZE_TF_NO_SKIPS=1 "
            f"forbids: {report.longrepr}"
        )
