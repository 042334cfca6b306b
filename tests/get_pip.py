"""Install pip into a virtual environment, instead of the script that ansible-test downloads."""

import ensurepip

ensurepip.bootstrap()
