# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the action plugins that bring a runtime to a spec: validate and render the spec.

Most runs change nothing. Therefore a small module compares the node with the spec first. The module
that changes the node runs only if they differ.
"""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible.module_utils.errors import AnsibleValidationError, UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text
from ansible_collections.cruntime.node.plugins.module_utils.validation import (
    VALIDATOR_ERRORS,
    describe_unsupported,
)
from ansible_collections.cruntime.node.plugins.plugin_utils import registries, render
from ansible_collections.cruntime.node.plugins.plugin_utils.failures import error_text
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.spec import (
    find_problems,
    find_unquoted,
    list_secrets,
)


class SpecAction(ActionBase):
    """Action plugin that brings a runtime to a spec."""

    def _apply_spec(
        self,
        args: dict[str, Any],
        task_vars: dict[str, Any] | None,
        comparison: str,
        **further: Any,
    ) -> dict[str, Any]:
        """Compare the node with a spec, and change it if they differ.

        :param args: the spec, as a playbook writes it.
        :param comparison: name of the module that compares them.
        :param further: its options in addition to the spec and the rendered files.
        :return: the result of the module that ran last.
        """
        try:
            spec, rendered = _render(decrypt(args))
        except RecursionError:
            raise AnsibleActionFail(
                "extra_config or another option is nested too deeply. Remove some of its levels",
                result={"reason": "option_invalid"},
            ) from None
        result: dict[str, Any] = {"needs_action": True}
        # With async, only one module can run.
        if spec["state"] == "enabled" and not self._task.async_val:
            compared = {option: spec[option] for option in options.COMPARED}
            compared["registries"] = registries.list_certificates(spec["registries"])
            result = self._run_module(
                comparison, {"spec": compared, **rendered, **further}, task_vars
            )
        if result.pop("needs_action", False):
            # An option that is not set is omitted, because null is not one of its choices.
            given = {
                option: value
                for option, value in spec.items()
                if value is not None and option not in options.ON_CONTROLLER
            }
            result = self._run_module(
                "cruntime_enable", {**given, **rendered}, task_vars, self._task.async_val
            )
        return result

    def _run_module(
        self,
        name: str,
        args: dict[str, Any],
        task_vars: dict[str, Any] | None,
        wrap_async: Any = False,
    ) -> dict[str, Any]:
        """Run a module of this collection, and explain why it did not start."""
        result: dict[str, Any] = self._execute_module(
            module_name=f"cruntime.node.{name}",
            module_args=args,
            task_vars=task_vars,
            wrap_async=wrap_async,
        )
        # Ansible has set this if the module did not start.
        if "module_stderr" in result:
            result["msg"] = error_text(result)
            # Ansible would show the message of the exception in place of this one.
            result.pop("exception", None)
        return result


def _render(args: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the spec, and its rendered files as options of the modules."""
    validation = _validate(args)
    problems = _distinct([_sentence(error) for error in validation.errors.errors])
    problems += find_unquoted(args, options.ENABLE)
    if problems:
        problems = redact_text(problems)
        raise AnsibleActionFail("; ".join(problems), result={"reason": "option_invalid"})
    spec = validation.validated_parameters
    try:
        render.check(spec, find_problems(spec))
        # Convert to plain values: the values of a playbook have types of Ansible.
        files = render.render(json.loads(json.dumps(spec)))
    except SpecError as error:
        result = {"reason": error.reason, "problems": error.problems}
        # Ansible would append the messages of the chained exceptions, which repeat this one.
        raise AnsibleActionFail(str(error), result=result) from None
    return spec, {
        "rendered_files": [
            {**file, "content": ""} if file.get("secret") else file for file in files
        ],
        "rendered_secrets": [file["content"] for file in files if file.get("secret")],
        "secrets": sorted(set(list_secrets(spec, options.ENABLE))),
    }


def _validate(args: dict[str, Any]) -> ValidationResult:
    """Validate the options of the task against the argument spec.

    :raises AnsibleActionFail: if the validator has no message for a value.
    """
    try:
        return ArgumentSpecValidator(options.ENABLE).validate(args)
    except VALIDATOR_ERRORS:
        message = redact_text(describe_unsupported(options.ENABLE, args))
        raise AnsibleActionFail(message, result={"reason": "option_invalid"}) from None


def decrypt(value: Any) -> Any:
    """Return a value with decrypted text. Before ansible-core 2.19, a !vault value is an object."""
    if isinstance(value, dict):
        return {key: decrypt(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [decrypt(inner) for inner in value]
    return str(value) if getattr(value, "__ENCRYPTED__", False) else value


def _distinct(problems: list[str]) -> list[str]:
    """Return the problems that no other problem contains. Ansible reports a wrong type twice."""
    return [
        problem
        for problem in problems
        if not any(problem != other and problem in other for other in problems)
    ]


def _sentence(error: AnsibleValidationError) -> str:
    # AnsibleModule adds this text to the list of names; the validator does not.
    return f"unsupported options: {error.msg}" if isinstance(error, UnsupportedError) else error.msg
