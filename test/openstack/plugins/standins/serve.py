"""serve.py PORT FILE [ARG...]: run the WSGI "application" that FILE defines, on 127.0.0.1."""
import runpy
import sys

import waitress

port, path = int(sys.argv[1]), sys.argv[2]
sys.argv = [path] + sys.argv[3:]
waitress.serve(runpy.run_path(path, run_name='wsgi')['application'], host='127.0.0.1', port=port,
               threads=8, ident=None, connection_limit=1000)
