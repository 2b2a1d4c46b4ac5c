# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import os

base_url = os.environ.get('DOC_BASE_URL')
if base_url:
    modules_url = base_url + '/modules-{module}/'
    trytond_url = base_url + '/server/'
else:
    modules_url = (
        'https://docs.tryton.org/{series}/modules-{module}/')
    trytond_url = 'https://docs.tryton.org/{series}/server/'


def get_info():
    import configparser

    module_dir = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    config = configparser.ConfigParser()
    with open(os.path.join(module_dir, 'tryton.cfg')) as fp:
        config.read_file(fp)
    info = dict(config.items('tryton'))

    info['name'] = 'trytondo-sale-opportunity-management'
    info['description'] = "Sale Opportunity Management Module"
    major_version, minor_version, _ = info['version'].split('.', 2)
    if int(minor_version) % 2:
        info['series'] = 'latest'
    else:
        info['series'] = '.'.join([major_version, minor_version])

    for key in ['depends', 'extras_depend']:
        info[key] = info.get(key, '').split()
    info['modules'] = set(info['depends'] + info['extras_depend'])
    info['modules'] -= {'ir', 'res'}

    return info


def is_installed(name):
    from importlib.util import find_spec

    return find_spec(name) is not None


info = get_info()

html_theme = (
    'sphinx_book_theme' if is_installed('sphinx_book_theme') else 'alabaster')
html_title = info['description']
master_doc = 'index'
project = info['name']
release = version = info['series']
default_role = 'ref'
highlight_language = 'none'
exclude_patterns = ['_build', '**/*.inc.rst']
extensions = ['sphinx.ext.intersphinx']
if is_installed('sphinx_copybutton'):
    extensions.append('sphinx_copybutton')
intersphinx_timeout = 10
intersphinx_mapping = {}
# Without network the references to other modules are plain text
if not os.environ.get('DOC_NO_NETWORK'):
    intersphinx_mapping['trytond'] = (
        trytond_url.format(series=version), None)
    intersphinx_mapping.update({
            m: (modules_url.format(
                    module=m.replace('_', '-'), series=version), None)
            for m in info['modules']
            })
external_projects = info['modules'] | {'trytond'}
linkcheck_workers = 1


def resolve_external(app, env, node, contnode):
    "Show the text of the references that intersphinx could not resolve"
    project, separator, _ = node.get('reftarget', '').partition(':')
    if separator and project in external_projects:
        return contnode


def setup(app):
    # After intersphinx
    app.connect('missing-reference', resolve_external, priority=900)


del get_info, is_installed, info, base_url, modules_url, trytond_url
