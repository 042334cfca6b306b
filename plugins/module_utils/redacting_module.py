# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redact secrets in the log of a module's options, in its messages and in its invocation.

Ansible redacts only options with no_log, and then every equal text in the result. Free text can
contain a secret without being one, for example build arguments.
"""

from __future__ import annotations

import functools
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text
from ansible_collections.cruntime.node.plugins.module_utils.validation import (
    VALIDATOR_ERRORS,
    describe_unsupported,
)


class RedactingModule(AnsibleModule):
    """Module whose options can contain secrets."""

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool = False) -> None:
        try:
            super().__init__(argument_spec=argument_spec, supports_check_mode=supports_check_mode)
        except VALIDATOR_ERRORS:
            self.fail_json(
                describe_unsupported(argument_spec, self.params), reason="option_invalid"
            )

    def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
        """Write a message to the system log of the node.

        :param log_args: options of the module, if they are logged. Ansible has replaced the options
            with no_log.
        """
        if not log_args:
            super().log(redact_text(msg))
            return
        shown = {
            name: value if str(value).startswith("NOT_LOGGING") else str(self._redacted.get(name))
            for name, value in log_args.items()
        }
        super().log(" ".join(["Invoked with", *map("=".join, shown.items())]), shown)

    def warn(self, warning: str, **more: Any) -> None:
        super().warn(redact_text(warning), **more)

    def exit_json(self, **kwargs: Any) -> None:
        super().exit_json(**self._add_invocation(kwargs))

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        super().fail_json(redact_text(msg), **self._add_invocation(kwargs))

    def _add_invocation(self, result: dict[str, Any]) -> dict[str, Any]:
        """Add the options of the module, which Ansible shows with -vvv."""
        return {"invocation": {"module_args": self._redacted}, **result}

    @functools.cached_property
    def _redacted(self) -> dict[str, Any]:
        """The options with secrets redacted, which every run needs twice."""
        redacted: dict[str, Any] = redact_text(self.params)
        return redacted
