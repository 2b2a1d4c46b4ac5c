#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import os
import re
from configparser import ConfigParser

from setuptools import setup

MODULE = 'sale_opportunity_management'
HERE = os.path.dirname(os.path.abspath(__file__))


def read(filename):
    with open(os.path.join(HERE, filename), encoding='utf-8') as fp:
        return fp.read()


def get_require_version(name):
    return '%s >= %s.%s, < %s.%s' % (
        name, major_version, minor_version, major_version, minor_version + 1)


config = ConfigParser()
config.read_string(read('tryton.cfg'))
info = dict(config.items('tryton'))
for key in ('depends', 'extras_depend', 'include_dirs'):
    info[key] = info.get(key, '').split()
version = info['version']
major_version, minor_version = map(int, version.split('.')[:2])

requires = [
    get_require_version('trytond[html2text]'),
    'icalendar >= 6.1, < 8',
    'python-sql >= 1.8',
    'python-dateutil',
    'python-stdnum >= 2.2',
    'relatorio[fodt] >= 0.7.0',
    'Genshi',
    ]
for depend in info['depends']:
    if not re.match(r'(ir|res)(\W|$)', depend):
        # It normalises the phones
        extra = '[phonenumbers]' if depend == 'party' else ''
        requires.append(get_require_version('trytond_%s%s' % (depend, extra)))

import_require = [
    get_require_version('proteus'), 'tqdm', 'openpyxl', 'python-calamine']
tests_require = import_require + [
    'aiosmtpd', 'playwright', 'psycopg[binary] >= 3.2', 'psycopg-pool']
for depend in info['extras_depend']:
    tests_require.append(get_require_version('trytond_%s' % depend))

setup(name='trytondo-sale-opportunity-management',
    version=version,
    description='Tryton module for teams that sell and follow up by telephone',
    long_description=read('README.rst'),
    long_description_content_type='text/x-rst',
    author='sale_opportunity_management contributors',
    keywords='tryton sale opportunity lead call tracking crm',
    package_dir={'trytond.modules.%s' % MODULE: '.'},
    packages=(
        ['trytond.modules.%s' % MODULE]
        + ['trytond.modules.%s.%s' % (MODULE, p)
            for p in [*info['include_dirs'], 'scripts', 'tests']]
        ),
    package_data={
        'trytond.modules.%s' % MODULE: [
            'tryton.cfg', '*.xml', 'view/*.xml', 'view/*/*.xml',
            'locale/*.po', 'icons/*.svg',
            'tests/*.rst', 'tests/*.json', 'tests/*.csv', 'tests/*.xlsx'],
        **{'trytond.modules.%s.%s' % (MODULE, wing): [
                'tryton.cfg', '*.xml', '*.fodt', '*.html', '*.csv', '*.xlsx']
            for wing in info['include_dirs']},
        },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: Plugins',
        'Framework :: Tryton',
        'Intended Audience :: Customer Service',
        'Intended Audience :: Developers',
        'Natural Language :: English',
        'Natural Language :: Spanish',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: Implementation :: CPython',
        'Topic :: Office/Business',
        ],
    license='GPL-3.0-or-later',
    license_files=['COPYRIGHT', 'LICENSE'],
    python_requires='>=3.10',
    install_requires=requires,
    extras_require={
        'demo': import_require + ['aiosmtpd', 'pycountry'],
        'import': import_require,
        'test': tests_require,
        },
    zip_safe=False,
    entry_points={
        'trytond.modules': [
            '%s = trytond.modules.%s' % (MODULE, MODULE),
            ],
        'console_scripts': [
            'trytond_import_contacts = '
            'trytond.modules.%s.scripts.import_contacts:run' % MODULE,
            ],
        },
    )
