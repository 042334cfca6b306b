# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons of failures: the closed list of codes that modules return as C(reason).

No module imports this list on a node. Tests compare every raised error and the documentation with
it.
"""

from __future__ import annotations

REASONS = {
    "action_plugin_skipped": "The module was not called by its full name, so no file was rendered.",
    "archive_invalid": "A file is not an archive of images.",
    "command_failed": "A command on the node failed. RV(cmd), RV(rc) and RV(stderr) describe it.",
    "command_timeout": "A command on the node did not end in time.",
    "configuration_refused": "The runtime does not accept the configuration. Nothing was changed.",
    "container_ambiguous": "An ID is the beginning of the IDs of several containers.",
    "container_not_found": "No container has one of the IDs.",
    "containers_running": "Running containers would end, or would be left without a runtime.",
    "data_foreign": "A data root has data that does not belong to the runtime.",
    "data_hidden": "The runtime would no longer show images, containers or volumes.",
    "data_not_removed": "Data could not be removed.",
    "distribution_unsupported": "The role runtime does not support the distribution of the node.",
    "file_not_found": "A file or a directory of an option does not exist on the node.",
    "file_unreadable": "A file on the node cannot be read, or is not a regular file.",
    "file_unwritable": "A file on the node cannot be written.",
    "image_in_use": "A container uses the image.",
    "image_incomplete": "Layers of the image are not on the node.",
    "image_not_found": "The image does not exist on the node or in the archive.",
    "kubelet_endpoint_not_found": "No file sets the CRI endpoint of the kubelet.",
    "kubelet_not_editable": "A setting of the kubelet comes from a place that cannot be changed.",
    "kubelet_not_found": "The node has no kubelet.",
    "library_not_found": "A Python library is not installed on the controller.",
    "lock_timeout": "Another task changes the node and did not end in time.",
    "lock_unsafe": "The lock file cannot be trusted.",
    "no_response": "A daemon did not respond, or not in time.",
    "not_root": "The task needs root privileges.",
    "oci_runtime_not_found": "The default OCI runtime is not installed.",
    "option_invalid": "The value of an option is not valid, alone or together with other options.",
    "option_unsupported": "The runtime, or its version on the node, does not support an option.",
    "output_inconsistent": "Two tools on the node contradict each other.",
    "output_unreadable": "The output of a tool is not in the expected format.",
    "record_invalid": "The managed-files record is damaged or has an unknown version.",
    "request_failed": "A daemon responded to a request with an error.",
    "result_unexpected": "A tool reported success, but the result is not as requested.",
    "runtime_ambiguous": "Several runtimes are running, and no option selects one.",
    "runtime_needed": "Another running runtime needs the units.",
    "runtime_not_installed": "The runtime or cri-dockerd is not installed on the node.",
    "runtime_not_running": "No runtime, or not the selected one, is running on the node.",
    "setting_overridden": "Another file or a flag overrides a value of the spec.",
    "signature_invalid": "An image has no valid signature of a key of the task.",
    "state_not_reached": "Some containers or sandboxes are not in the requested state.",
    "system_error": "The operating system refused an operation. All changes were rolled back.",
    "systemd_not_found": "systemd is not the init system of the node.",
    "tool_not_found": "A tool is not installed on the node.",
    "transfer_failed": "Some images could not be pulled or pushed.",
    "unit_not_started": "A systemd unit could not be started, restarted or reloaded.",
    "unit_not_stopped": "A systemd unit did not stop in time.",
    "version_incompatible": "A version is too old for the spec or for Kubernetes.",
    "version_unreadable": "The version of a runtime or of the kernel cannot be parsed.",
}
