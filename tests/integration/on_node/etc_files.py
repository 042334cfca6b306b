"""Print a JSON object with the digest (or link target) and the mtime of each file below /etc."""

import hashlib
import json
import os

found = {}
for directory, _, names in os.walk("/etc"):
    for path in (os.path.join(directory, name) for name in names):
        if os.path.islink(path):
            content = os.readlink(path)
        else:
            with open(path, "rb") as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
        found[path] = [content, os.lstat(path).st_mtime_ns]
print(json.dumps(found))
