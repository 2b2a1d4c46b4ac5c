#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Make the root folder of Tryton's web client, Sao, and print its path.

The package tryton-sao of npm carries its built files, so that npm only has to
fetch it with the libraries that it asks for."""

import os
import shutil
import subprocess
import sys

VERSION = '~8.0.0'


class SaoError(Exception):
    pass


def prepare(folder):
    "Return the root made in the folder, from npm if it is not there yet"
    folder = os.path.abspath(folder)
    root = os.path.join(folder, 'root')
    if os.path.exists(os.path.join(root, 'index.html')):
        return root
    npm = shutil.which('npm')
    if not npm:
        raise SaoError("npm is not installed")
    os.makedirs(folder, exist_ok=True)
    try:
        subprocess.run([
                npm, 'install', '--prefix', folder, '--omit=dev',
                '--ignore-scripts', '--no-audit', '--no-fund',
                '--loglevel=error', f'tryton-sao@{VERSION}'],
            check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        raise SaoError("npm could not install tryton-sao") from error

    modules = os.path.join(folder, 'node_modules')
    package = os.path.join(modules, 'tryton-sao')
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    # The page asks for node_modules next to itself
    os.symlink(modules, os.path.join(root, 'node_modules'))
    for name in ['dist', 'images', 'sounds', 'locale']:
        os.symlink(os.path.join(package, name), os.path.join(root, name))
    for name in ['custom.js', 'custom.css']:
        with open(os.path.join(root, name), 'w'):
            pass
    # The last one, as it tells that the root is complete
    shutil.copy(os.path.join(package, 'index.html'), root)
    return root


if __name__ == '__main__':
    try:
        print(prepare(sys.argv[1]))
    except SaoError as error:
        sys.exit(str(error))
