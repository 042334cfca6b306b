"""On a node: write archives of one image with a layer of N MiB. Usage: DIRECTORY N..."""

from __future__ import annotations

import io
import pathlib
import sys
import tarfile

sys.path.insert(0, "/usr/local/libexec/cruntime-test")
import image_archive

directory = pathlib.Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
for mib in sys.argv[2:]:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        image_archive.add(archive, "zeros", bytes(int(mib) << 20))
    image_archive.write_archive(
        directory / f"{mib}.tar", f"localhost/bench/{mib}:1", ["/none"], layer.getvalue()
    )
