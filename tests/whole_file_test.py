"""Files are whole, or as they were, and errors name them."""

import errno
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from squeeze_tf import whole_file


class WholeFileTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "a.txt")

    def only(self, content):
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])
        self.assertEqual(self.path.read_bytes(), content)

    @parameterized.parameters(False, True)
    def test_bytes_and_text_replace_what_was_there(self, shared):
        whole_file.write(self.path, b"\x00\xff", shared)
        self.only(b"\x00\xff")
        whole_file.write(self.path, "ä\n", shared)
        self.only("ä\n".encode())

    @parameterized.parameters(ValueError("x"), KeyboardInterrupt())
    def test_an_error_leaves_the_old_file_alone(self, error):
        self.path.write_bytes(b"old")
        with self.assertRaises(type(error)):
            with whole_file.replacing(self.path) as scratch:
                scratch.write_bytes(b"ne")
                raise error
        self.only(b"old")

    def test_a_full_disk_is_an_error_about_the_file(self):
        self.path.write_bytes(b"old")

        def half(path, content):
            with open(path, "wb") as file:
                file.write(content[:1])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with mock.patch.object(pathlib.Path, "write_bytes", half):
            with self.assertRaisesRegex(OSError, "No space.*a.txt'$"):
                whole_file.write(self.path, b"new")
        self.only(b"old")

    def test_an_error_about_another_file_stays_so(self):
        with self.assertRaisesRegex(FileNotFoundError, "elsewhere"):
            with whole_file.replacing(self.path):
                open("elsewhere")
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_shared_writers_do_not_share_their_scratch(self):
        with whole_file.replacing(self.path, shared=True) as scratch:
            self.assertIn(str(os.getpid()), scratch.name)
            scratch.write_bytes(b"a")


if __name__ == "__main__":
    absltest.main()
