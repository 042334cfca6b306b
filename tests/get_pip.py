"""Puts pip into a new virtual environment of ansible-test, in place of the script it downloads."""

import ensurepip

ensurepip.bootstrap()
