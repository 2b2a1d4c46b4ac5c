# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import re
import tempfile
import time

from playwright.sync_api import expect, sync_playwright

# Chromium as root in a container, without looking for its own services
_FLAGS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--disable-dev-shm-usage']
_TIMEOUT = 180
# English has no catalogue in Sao and the login begins with a refusal
_NOISE = re.compile(r'locale/en|\b401\b')


class Sao:
    """A user in front of the web client

    Everything waits until the client asks nothing more of the server.  What
    goes wrong in the browser or on the server is gathered in errors."""

    def __init__(self, url, database, executable):
        self.url = f'{url}/#{database}'
        self.errors = []
        self.downloads = []
        self._pending = set()
        self._last = time.monotonic()
        self._playwright = sync_playwright().start()
        self._profile = tempfile.TemporaryDirectory()
        self._context = self._playwright.chromium.launch_persistent_context(
            self._profile.name, executable_path=executable, headless=True,
            args=_FLAGS, accept_downloads=True, locale='en-US',
            timezone_id='America/Bogota',
            viewport={'width': 1400, 'height': 900})
        self.page, = self._context.pages
        # It is no test of speed
        self.page.set_default_timeout(_TIMEOUT * 1000)
        self.page.on('request', self._on_request)
        self.page.on('requestfinished', self._on_finished)
        self.page.on('requestfailed', self._on_finished)
        self.page.on('response', self._on_response)
        self.page.on(
            'download', lambda download: self.downloads.append(download))
        self.page.on('console', self._on_console)
        self.page.on(
            'pageerror', lambda error: self.errors.append(str(error)))

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self._context.close()
        self._playwright.stop()
        self._profile.cleanup()

    def _on_request(self, request):
        if request.method == 'POST':
            self._pending.add(request)

    def _on_finished(self, request):
        self._pending.discard(request)
        self._last = time.monotonic()

    def _on_console(self, message):
        url = (message.location or {}).get('url', '')
        if (message.type == 'error'
                and not _NOISE.search(f'{message.text} {url}')):
            self.errors.append(f'{message.text} {url}')

    def _on_response(self, response):
        if (response.status >= 400
                and not _NOISE.search(f'{response.status} {response.url}')):
            self.errors.append(f'{response.status} {response.url}')

    def wait(self):
        "Wait until no request is under way"
        end = time.monotonic() + _TIMEOUT
        self.page.wait_for_timeout(100)
        while self._pending or time.monotonic() - self._last < .3:
            assert time.monotonic() < end, "the server does not answer"
            start = time.monotonic()
            # On a slow machine the client still draws, and asks more later
            self.page.evaluate(
                'new Promise(resolve => setTimeout(resolve))')
            if time.monotonic() - start > .1:
                self._last = time.monotonic()
            self.page.wait_for_timeout(50)

    def login(self, login, password):
        self.page.goto(self.url)
        self.page.locator('.login-dialog input#login').fill(login)
        self.page.locator('.login-dialog button[type=submit]').click()
        ask = self.page.locator('.ask-dialog input[type=password]')
        ask.fill(password)
        ask.press('Enter')
        self.page.locator('#menu tbody tr').first.wait_for()
        self.wait()

    @property
    def scope(self):
        "The dialog in front or the tab"
        dialogs = self.page.locator('.modal.in:visible')
        if dialogs.count():
            return dialogs.last
        return self.page.locator('#tabcontent > .tab-pane.active')

    def menu(self, *path):
        "Open the entry of the menu, and the folders on the way to it"
        rows = self.page.locator('#menu tbody tr')
        index = -1
        for level, label in enumerate(path, start=1):
            # Label and depth of what is shown
            entries = rows.evaluate_all("""rows => rows.map(row => [
                row.innerText.trim(),
                parseFloat(row.querySelector('.expander img')
                    .style.marginLeft) || 0])""")
            index = [e[0] for e in entries].index(label, index + 1)
            opened = (
                index + 1 < len(entries)
                and entries[index + 1][1] > entries[index][1])
            if level < len(path) and not opened:
                rows.nth(index).locator('.expander').click()
                self.wait()
        rows.nth(index).locator('.column-char').click()
        self.wait()

    def button(self, label):
        dialog = self.page.locator('.modal.in:visible').count()
        self.scope.locator('button:visible').filter(
            has_text=re.compile(rf'^\s*{re.escape(label)}\s*$', re.I)
            ).last.click()
        self.wait()
        if self.page.locator('.modal.in:visible').count() != dialog:
            # The dialogs fade in and out
            self.page.wait_for_timeout(500)

    def field(self, name):
        return self.scope.locator(f'[name="{name}"]:visible').first

    def value(self, name):
        "Wait until the field shows something and return it"
        # The name of a record may come after the record
        expect(self.field(name)).not_to_have_value(
            '', timeout=_TIMEOUT * 1000)
        # The form is drawn again, over what would be typed meanwhile
        self.wait()
        return self.field(name).input_value()

    def fill(self, name, value):
        field = self.field(name)
        field.focus()
        if field.evaluate('element => element.tagName') == 'SELECT':
            field.select_option(label=value)
        else:
            # A number has another input while it has the focus
            self.field(name).fill(value)
        self.page.keyboard.press('Tab')
        self.wait()

    def add(self, name, text):
        "Add the only record with the text to a many2many"
        field = self.scope.locator('.form-many2many:visible').filter(
            has_text=name)
        entry = field.locator('input[type=text]:visible').first
        entry.click()
        entry.press_sequentially(text)
        # The completion opens a moment after the last key
        self.page.locator('.dropdown-completion:visible').get_by_text(
            text).first.click()
        self.wait()

    def press(self, *keys):
        "Press the keys one after the other"
        for key in keys:
            dialogs = self.page.locator('.modal.in:visible')
            number = dialogs.count()
            self.page.keyboard.press(key)
            self.wait()
            if dialogs.count() != number:
                # The dialogs fade in and out
                self.page.wait_for_timeout(500)

    def press_access(self, key):
        "Press the access key, which is no key for the keyboard of playwright"
        session = self._context.new_cdp_session(self.page)
        for type_ in ['keyDown', 'keyUp']:
            session.send('Input.dispatchKeyEvent', {
                    'type': type_,
                    'modifiers': 1,
                    'key': key,
                    'code': f'Key{key.upper()}',
                    'windowsVirtualKeyCode': ord(key.upper()),
                    **({'text': key, 'unmodifiedText': key}
                        if type_ == 'keyDown' else {}),
                    })
        session.detach()
        self.wait()

    def type(self, text):
        "Type the text where the focus is"
        self.page.keyboard.type(text)
        self.wait()

    def write(self, name, text):
        """Type the text into the field, which has the focus

        A letter is lost when the client draws the form meanwhile."""
        for _ in range(3):
            self.press('Control+a')
            self.type(text)
            if self.field(name).input_value() == text:
                break

    def search(self, text):
        "Open what the box on top finds first, by keyboard"
        self.press('Control+k')
        self.type(text)
        # The completion opens a moment after the last key
        self.page.locator('.global-search-container').get_by_text(
            text).first.wait_for()
        self.press('ArrowDown', 'Enter')

    def wait_focus(self, name):
        "Wait until the field has the focus"
        self.page.wait_for_function(
            'name => document.activeElement.name == name', arg=name)

    def rows(self):
        "The texts of the rows of the list in front"
        # All at once, as the list may be drawn anew meanwhile
        texts = self.scope.locator(
            '.treeview > table.tree > tbody > tr:visible').all_inner_texts()
        return [t.replace('\n', ' ').replace('\t', ' ') for t in texts]

    def open(self, text):
        "Open the form of the row with the text"
        row = self.scope.locator(
            '.treeview > table.tree > tbody > tr:visible'
            ).filter(has_text=text).first
        row.locator('td:visible').nth(2).dblclick()
        self.wait()

    def move_event(self, text, days):
        "Drag the event with the text in the week and return its new date"
        event = self.scope.locator('.fc-event:visible').filter(has_text=text)
        event.scroll_into_view_if_needed()
        box = event.bounding_box()
        # The lower edge would make it longer
        x, y = box['x'] + box['width'] / 2, box['y'] + box['height'] / 4
        columns = self.scope.locator('.fc-time-grid td.fc-day:visible').all()
        boxes = [column.bounding_box() for column in columns]
        index, = [
            i for i, box in enumerate(boxes)
            if box['x'] <= x < box['x'] + box['width']]
        target = boxes[index + days]
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(target['x'] + target['width'] / 2, y, steps=10)
        mouse.up()
        self.wait()
        return columns[index + days].get_attribute('data-date')

    def row_button(self, text, label):
        "Press the button of the row with the text"
        row = self.scope.locator(
            '.treeview > table.tree > tbody > tr:visible'
            ).filter(has_text=text).first
        button = row.locator('button').filter(
            has_text=re.compile(rf'^\s*{re.escape(label)}\s*$', re.I))
        # The first click only selects the row
        for _ in range(2):
            button.click()
            self.wait()
        self.page.wait_for_timeout(500)

    def tab(self, label):
        "Select the tab of the list"
        self.scope.locator('.nav-tabs a:visible').filter(
            has_text=label).first.click()
        self.wait()

    def check_box(self, name):
        self.field(name).check()
        self.wait()

    def check(self):
        assert not self.errors, '\n'.join(self.errors)
