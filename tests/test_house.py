# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import ast
import os
import re
import runpy
import unittest
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path
from unittest.mock import patch

MODULE = 'sale_opportunity_management'
PACKAGE = f'trytond.modules.{MODULE}'
ROOT = Path(__file__).parent.parent
# What the packages need beside the code
DATA = {
    '.cfg', '.csv', '.fodt', '.html', '.json', '.po', '.svg', '.xlsx', '.xml'}


def read_config(folder):
    config = ConfigParser()
    config.optionxform = str
    config.read(folder / 'tryton.cfg')
    return config


CONFIG = read_config(ROOT)
WINGS = CONFIG['tryton']['include_dirs'].split()


class House:
    "The files of the trunk, or of a wing"

    def __init__(self, folder):
        self.folder = folder
        self.config = read_config(folder)
        self.trees = {
            p.stem: ast.parse(p.read_text(encoding='utf-8'))
            for p in sorted(folder.glob('*.py')) if p.name != 'setup.py'}
        self.records = [
            (p.name, record) for p in sorted(folder.glob('*.xml'))
            for record in ET.parse(p).iter('record')]

    @property
    def text(self):
        return '\n'.join(
            p.read_text(encoding='utf-8')
            for p in sorted(self.folder.iterdir())
            if p.suffix in {'.py', '.fodt', '.html', '.xml'}
            and p.name != 'message.xml')

    @property
    def classes(self):
        for file, tree in self.trees.items():
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    yield file, node

    @property
    def models(self):
        "The names of the models that are not extensions"
        for _, node in self.classes:
            if not any(k.arg == 'metaclass' for k in node.keywords):
                if name := get_name(node):
                    yield name

    @property
    def added_fields(self):
        "The names of the models and of the fields that are added to them"
        for _, node in self.classes:
            if any(k.arg == 'metaclass' for k in node.keywords):
                for child in node.body:
                    if (isinstance(child, ast.Assign)
                            and ast.unparse(child.value).startswith(
                                'fields.')):
                        yield get_name(node), child.targets[0].id

    @property
    def imported(self):
        "The files and the folders of this module that the files import"
        for file, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom):
                    level = node.level - (self.folder != ROOT)
                    if level == 1:
                        yield file, (node.module or '').split('.')[0]
                    elif (node.module or '').startswith(PACKAGE + '.'):
                        yield file, node.module.split('.')[3]

    @property
    def registered(self):
        for section in self.config.sections():
            if section.split()[0] == 'register':
                for classes in self.config[section].values():
                    yield from classes.split()


def get_name(node):
    for child in node.body:
        if (isinstance(child, ast.Assign)
                and child.targets[0].id == '__name__'):
            return child.value.value


class HouseTestCase(unittest.TestCase):
    "Test that everything is in its place"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trunk = House(ROOT)
        cls.wings = {w: House(ROOT / w) for w in WINGS}
        cls.houses = {'': cls.trunk, **cls.wings}

    def test_trunk_imports(self):
        "Test that the trunk imports no wing"
        self.assertEqual(
            [i for i in self.trunk.imported if i[1] in WINGS], [])

    def test_wing_imports(self):
        "Test that a wing imports only those that are included before it"
        for i, (wing, house) in enumerate(self.wings.items()):
            with self.subTest(wing=wing):
                self.assertEqual([
                        f for f in house.imported
                        if f[1] in WINGS[i + 1:]],
                    [])

    def test_trunk_models(self):
        "Test that the code of the trunk names no model of a wing"
        models = {m for h in self.wings.values() for m in h.models}
        self.assertEqual(sorted({
                    (file, node.value)
                    for file, tree in self.trunk.trees.items()
                    for node in ast.walk(tree)
                    if isinstance(node, ast.Constant)
                    and node.value in models}),
            [])

    def test_trunk_records(self):
        "Test that the records of the trunk name no model of a wing"
        models = {m for h in self.wings.values() for m in h.models}
        self.assertEqual(sorted({
                    (file, field.text)
                    for file, record in self.trunk.records
                    for field in record.iter('field')
                    if (field.text or '').split(',')[0] in models}),
            [])

    def test_messages(self):
        "Test that what only a wing says stands in its own messages"
        names = {
            place: set(re.findall(r'\bmsg_\w+', house.text))
            for place, house in self.houses.items()}
        for place, house in self.houses.items():
            # Their end is put to the others by the code
            prefixes = tuple(
                n for n in names[''] | names[place] if n.endswith('_'))
            with self.subTest(place=place):
                self.assertEqual([
                        id_ for id_ in (
                            r.get('id') for _, r in house.records
                            if r.get('model') == 'ir.message')
                        if id_ not in names[place]
                        and not id_.startswith(prefixes)],
                    [])

    def test_exceptions(self):
        "Test that what only a wing raises stands in its own exceptions"
        for place, house in self.houses.items():
            if 'exceptions' not in house.trees:
                continue
            with self.subTest(place=place):
                self.assertEqual([
                        node.name for file, node in house.classes
                        if file == 'exceptions'
                        and not any(
                            node.name == getattr(n, 'id', None)
                            for f, tree in house.trees.items()
                            if f != 'exceptions'
                            for n in ast.walk(tree))],
                    [])

    def test_mixins(self):
        "Test that a mixin has two users"
        users = Counter()
        mixins = {}
        for place, house in self.houses.items():
            for file, node in house.classes:
                if node.name.endswith('Mixin') and not get_name(node):
                    mixins[node.name] = os.path.join(place, file)
                users.update({b.id for b in node.bases
                        if isinstance(b, ast.Name)})
        # They are added to every class of the server
        registered = {
            n.split('.')[-1] for n in self.trunk.config['register_mixin']}
        self.assertEqual(sorted(
                (file, name) for name, file in mixins.items()
                if users[name] < 2 and name not in registered),
            [])

    def test_views(self):
        "Test that the views are in the folder of their wing"
        named = set()
        for place, house in self.houses.items():
            for file, record in house.records:
                if record.get('model') != 'ir.ui.view':
                    continue
                name = record.findtext('field[@name="name"]')
                if not name:
                    continue
                named.add(f'{name}.xml')
                with self.subTest(file=file, view=name):
                    self.assertEqual(os.path.dirname(name), place)
        folder = ROOT / 'view'
        self.assertEqual({
                str(p.relative_to(folder)) for p in folder.rglob('*.xml')},
            named)

    def test_view_fields(self):
        "Test that the views of the trunk have no field of a wing"
        added = {f for h in self.wings.values() for f in h.added_fields}
        for _, record in self.trunk.records:
            name = record.findtext('field[@name="name"]')
            if record.get('model') != 'ir.ui.view' or not name:
                continue
            model = record.findtext('field[@name="model"]')
            with self.subTest(view=name):
                self.assertEqual([
                        e.get('name') for e in ET.parse(
                            ROOT / 'view' / f'{name}.xml').iter('field')
                        if (model, e.get('name')) in added],
                    [])

    def test_register(self):
        "Test that each class with a name is registered once by its wing"
        for wing, house in self.houses.items():
            with self.subTest(wing=wing):
                classes = {
                    f'{file}.{node.name}' for file, node in house.classes
                    if get_name(node)}
                self.assertEqual(
                    Counter(house.registered), Counter(classes))

    def test_extras(self):
        "Test that the extra modules of the sections are in extras_depend"
        extras = set(CONFIG['tryton']['extras_depend'].split())
        for house in self.houses.values():
            for section in house.config.sections():
                name, *modules = section.split()
                if name == 'register':
                    self.assertLessEqual(set(modules), extras)

    def test_depends(self):
        "Test that the modules which are imported are in depends"
        depends = set(CONFIG['tryton']['depends'].split())
        extras = set(CONFIG['tryton']['extras_depend'].split())
        for house in self.houses.values():
            for file, tree in house.trees.items():
                for node in ast.walk(tree):
                    module = getattr(node, 'module', None) or ''
                    if module.startswith('trytond.modules.'):
                        with self.subTest(file=file, module=module):
                            self.assertIn(
                                module.split('.')[2],
                                depends | extras | {MODULE})


@unittest.skipUnless(
    (ROOT / 'setup.py').exists(), "the sources are not installed")
class PackagingTestCase(unittest.TestCase):
    "Test that the packages have everything"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with patch('setuptools.setup') as setup:
            runpy.run_path(str(ROOT / 'setup.py'))
        cls.setup = setup.call_args.kwargs
        cls.files = {
            p.relative_to(ROOT)
            for folder in ['', *WINGS, 'icons', 'locale', 'tests', 'view']
            for p in (ROOT / folder).glob(
                '**/*' if folder == 'view' else '*')
            if p.suffix in DATA or folder == 'tests' and p.suffix == '.rst'}

    def test_packages(self):
        "Test that each folder of code is a package"
        self.assertEqual(set(self.setup['packages']), {
                '.'.join(filter(None, [PACKAGE, f]))
                for f in ['', *WINGS, 'scripts', 'tests']})

    def test_reference(self):
        "Test that what the reference documents is where it says"
        text = (ROOT / 'doc' / 'reference.rst').read_text(encoding='utf-8')
        parent = ''
        for indent, name in re.findall(
                r'^( *)\.\. (?:class|data|function|(?:class|static)?method'
                r'|attribute):: ([\w.]+)', text, re.M):
            if indent:
                name = f'{parent}.{name}'
            else:
                parent = name
            path, names = ROOT, name.split('.')
            while path.is_dir():
                part, *names = names
                path /= part
                if not path.is_dir():
                    path = path.with_suffix('.py')
            node = ast.parse(path.read_text(encoding='utf-8'))
            with self.subTest(name=name):
                for part in names:
                    node = next(
                        n for n in node.body
                        if part in {
                            getattr(n, 'name', None),
                            *(getattr(t, 'id', None)
                                for t in getattr(n, 'targets', []))})

    def test_package_data(self):
        "Test that the wheel has each file"
        packages = {
            tuple(p.split('.')[3:]): patterns
            for p, patterns in self.setup['package_data'].items()}
        missing = set()
        for path in self.files:
            for i in range(len(path.parts)):
                name = os.path.join(*path.parts[i:])
                if any(len(Path(p).parts) == len(path.parts) - i
                        and fnmatch(name, p)
                        for p in packages.get(path.parts[:i], [])):
                    break
            else:
                missing.add(str(path))
        self.assertEqual(missing, set())

    def test_manifest(self):
        "Test that the sdist has each file"
        included = defaultdict(list)
        with open(ROOT / 'MANIFEST.in') as file:
            for line in file:
                command, *patterns = line.split()
                if command == 'include':
                    for pattern in patterns:
                        included[len(Path(pattern).parts)].append(pattern)
        self.assertEqual({
                str(p) for p in self.files
                if not any(fnmatch(str(p), pattern)
                    for pattern in included[len(p.parts)])}, set())
