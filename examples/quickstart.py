"""The API of kvlayer in a dozen lines: set up a table, write, read, scan, delete.

Run it as it is, on the store in memory, or with `--config kvlayer.yaml`, in a file.
"""
# ruff: noqa: E401, E501, I001
# fmt: off

import argparse, kvlayer, yakonfig

parser = argparse.ArgumentParser()
yakonfig.parse_args(parser, [yakonfig, kvlayer])       # --config FILE, --storage-type, --app-name, --namespace ...
kvl = kvlayer.client()                                  # or client({...}), or client('redis://host:6379/0', app_name=..., namespace=...)
kvl.setup_namespace({'table': (str,)})

kvl.put('table', (('foo',), b'one'), (('bar',), b'two'))
for key, value in kvl.get('table', ('foo',)):           # (('foo',), b'one'); a missing key gives (key, None)
    print(key, value)
for key, value in kvl.scan('table', (('a',), ('e',))):  # both ends included
    print(key, value)
for key in kvl.scan_keys('table', (('e',), ('z',))):
    print(key)
kvl.delete('table', ('foo',))
