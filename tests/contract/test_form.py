"""A form is read whatever its file names are, and whatever client wrote it."""

from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from contract.errors import MalformedRequestError
from contract.form import MAX_PARTS, Part, is_form, read_form

CONTENT = b"\xff\xd8\xff\xe0 --edge is not the boundary \r\n--edge-\n\r\n\x00\xff\r"
FORM = "multipart/form-data; boundary=edge"

# What stands after `Content-Disposition: form-data; name="image"`, as these clients write it.
FILE_NAMES = {
    "Chrome, Firefox and Safari, UTF-8": '; filename="Läsion 左腕 🩺.jpg"'.encode(),
    "Chrome, a quote and a line break": b'; filename="my %22mole%22%0D%0A.jpg"',
    "an old Android, Latin-1": '; filename="Läsion.jpg"'.encode("latin-1"),
    "Windows, code page 1252": '; filename="„Läsion“ € 1.jpg"'.encode("cp1252"),
    "Windows, Shift JIS with a backslash byte": '; filename="表ソ.jpg"'.encode("shift_jis"),
    "Internet Explorer, a path": rb'; filename="C:\Users\eva\new\1.jpg"',
    "a path that ends in a backslash": rb'; filename="C:\pictures\"',
    "curl, escaped quotes": rb'; filename="my \"mole\" \\ 1.jpg"',
    "curl before 7.82, a raw line break": b'; filename="a\r\nb.jpg"',
    "a raw line feed": b'; filename="a\nb.jpg"',
    "Python requests, RFC 2231": b"; filename*=utf-8''L%C3%A4sion.jpg",
    "both forms": b"; filename=\"a.jpg\"; filename*=UTF-8''L%C3%A4sion.jpg",
    "RFC 2231 in parts": b"; filename*0=\"a\"; filename*1*=utf-8''%C3%A4.jpg",
    "RFC 2231, an unknown charset": b"; filename*=x-none''%ff",
    "an unescaped quote": b'; filename="a"b".jpg"',
    "a quote that is not closed": b'; filename="a.jpg',
    "no quotes": b"; filename=a b.jpg",
    "a parameter in the file name": b'; filename="x; name=other; name=\\"token\\""',
    "a NUL": b'; filename="a\x00.jpg"',
    "control characters": bytes([*b'; filename="', *range(1, 10), *range(14, 32), *b'"']),
    "all bytes above 127": b'; filename="' + bytes(range(128, 256)) + b'"',
    "a folded line": b';\r\n\tfilename="a.jpg"',
    "a long name": b'; filename="' + b"\xe4" * 20_000 + b'.jpg"',
    "unknown parameters": b'; size=12; x-\xe4="\xff"; =; ;; filename="a.jpg"; y',
    "the boundary as a name": b'; filename="--edge"',
}


def form(disposition: bytes, more_headers: bytes = b"") -> bytes:
    """A form with a token, and a picture whose headers are as given."""
    return (
        b'--edge\r\nContent-Disposition: form-data; name="token"\r\n\r\nT\r\n'
        b'--edge\r\nContent-Disposition: form-data; name="image"' + disposition + b"\r\n" + more_headers + b"\r\n"
        + CONTENT + b"\r\n--edge--\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("disposition", FILE_NAMES.values(), ids=list(FILE_NAMES))
def test_every_kind_of_file_name_is_read(disposition: bytes) -> None:
    expected = [Part("token", False, b"T"), Part("image", True, CONTENT)]
    assert read_form(form(disposition, b"Content-Type: image/jpeg\r\n"), FORM) == expected
    assert read_form(form(disposition), FORM) == expected


@settings(deadline=None, max_examples=300)
@given(name=st.binary(max_size=80), quoted=st.booleans())
@example(name=b'"', quoted=True)
@example(name=b"\\", quoted=True)
@example(name=b"\r\ncontent-disposition: form-data; name=other", quoted=False)
def test_no_bytes_of_a_file_name_change_the_picture(name: bytes, quoted: bool) -> None:
    name = name.replace(b"\r\n\r\n", b"").replace(b"\n\n", b"").replace(b"\n\r\n", b"").rstrip(b"\r\n")
    value = b'"' + name + b'"' if quoted else name
    token, picture = read_form(form(b"; filename=" + value), FORM)
    assert (token.name, token.content) == ("token", b"T")
    assert (picture.name, picture.content) == ("image", CONTENT)


@pytest.mark.parametrize("disposition", [b"", b'; filename=""', b"; filename=", b"; filename*=", b'; file="a.jpg"'])
def test_without_a_file_name_a_field_is_not_a_file(disposition: bytes) -> None:
    assert read_form(form(disposition), FORM)[1] == Part("image", False, CONTENT)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Type: \xff\xfe\r\n",
        b"Content-Type: image/jpeg; charset=none; name=token\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Transfer-Encoding: binary\r\n",
        b"no colon\r\n",
        b"X-\xe4: \x00\r\n",
        b"X: 1\r\n" * 100,
    ],
    ids=str,
)
def test_no_other_header_of_a_part_refuses_it(headers: bytes) -> None:
    assert read_form(form(b'; filename="a.jpg"', headers), FORM)[1] == Part("image", True, CONTENT)
    before = form(b'; filename="a.jpg"').replace(b"--edge\r\n", b"--edge\r\n" + headers)
    assert read_form(before, FORM)[1] == Part("image", True, CONTENT)


@pytest.mark.parametrize("file_name", ["a.jpg", "Läsion.jpg", '左"\\\r\n腕.jpg'])
def test_forms_of_urllib3_and_requests_are_read(file_name: str) -> None:
    body, content_type = encode_multipart_formdata([("token", "T"), ("image", (file_name, CONTENT))])
    assert read_form(body, content_type) == [Part("token", False, b"T"), Part("image", True, CONTENT)]


def test_a_form_of_pythons_email_package_is_read() -> None:
    message = MIMEMultipart("form-data", "edge")
    image = MIMEImage(b"", "jpeg", lambda part: part.set_payload("the picture"))
    image.add_header("Content-Disposition", "form-data", name="image", filename=("utf-8", "", "Läsion.jpg"))
    message.attach(image)
    body = message.as_bytes().partition(b"\n\n")[2]
    assert read_form(body, message["Content-Type"]) == [Part("image", True, b"the picture")]


@pytest.mark.parametrize(
    "body",
    [
        b'preamble\r\n--edge\r\nContent-Disposition: form-data; name="image"\r\n\r\nX\r\n--edge--epilogue',
        b'--edge  \r\nCONTENT-DISPOSITION : form-data; NAME="image"\r\n\r\nX\r\n--edge--',
        b"--edge\nContent-Disposition: form-data; name=image\n\nX\n--edge--\n",
        b"--edge\r\nContent-Disposition: attachment;name = image ;\r\n\r\nX\r\n--edge--\r\n",
        b'--edge\r\n\r\nno header\r\n--edge\r\nContent-Disposition: form-data; name="image"\r\n\r\nX\r\n--edge--\r\n',
        b'--edge\r\n--edge\r\nX: y\r\n--edge\r\nContent-Disposition: form-data; name="image"\r\n\r\nX\r\n--edge--\r\n',
    ],
)
def test_unusual_but_complete_forms_are_read(body: bytes) -> None:
    assert [(part.name, part.content) for part in read_form(body, FORM)] == [("image", b"X")]


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="edge"',
        "Multipart/Form-Data;charset=utf-8;BOUNDARY=edge",
        "multipart/form-data; boundary=edge; charset=utf-8",
    ],
)
def test_the_boundary_is_found_in_every_spelling(content_type: str) -> None:
    assert is_form(content_type)
    assert read_form(form(b""), content_type)[1].content == CONTENT


@pytest.mark.parametrize("content_type", ["", "image/jpeg", "multipart/form-database", "multipart/mixed; boundary=b"])
def test_other_content_types_are_not_forms(content_type: str) -> None:
    assert not is_form(content_type)


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (b"", FORM, "incomplete"),
        (b"--edge\r\n", FORM, "incomplete"),
        (form(b"")[:-30], FORM, "incomplete"),
        (form(b"").replace(b"edge--", b"edge"), FORM, "incomplete"),
        (form(b""), "multipart/form-data; boundary=other", "incomplete"),
        (form(b""), "multipart/form-data", "boundary"),
        (form(b""), 'multipart/form-data; boundary=""', "boundary"),
        (form(b""), "multipart/form-data; boundary=é", "boundary"),
        (form(b""), 'multipart/form-data; boundary="ed\nge"', "boundary"),
        (b"--edge\r\n\r\n\r\n" * (MAX_PARTS + 2) + b"--edge--", FORM, "16 fields"),
    ],
)
def test_an_incomplete_form_is_refused_in_a_sentence(body: bytes, content_type: str, said: str) -> None:
    with pytest.raises(MalformedRequestError, match=said):
        read_form(body, content_type)
