# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe values for which the validator of Ansible has no message."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

#: Errors of ArgumentSpecValidator for values that a playbook can contain.
VALIDATOR_ERRORS = (AttributeError, TypeError, ValueError, OverflowError, RecursionError)


def describe_unsupported(argument_spec: dict[str, Any], args: dict[str, Any]) -> str:
    """Return an error message that names the options that the validator cannot check."""
    validator = ArgumentSpecValidator(argument_spec)
    names = [str(name) for name, value in args.items() if not _is_valid(validator, name, value)]
    return (
        f"{', '.join(names)}: unsupported type of a key or a value. Set it to a value of the "
        "documented type"
    )


def _is_valid(validator: ArgumentSpecValidator, name: str, value: Any) -> bool:
    try:
        validator.validate({name: value})
    except VALIDATOR_ERRORS:
        return False
    return True
