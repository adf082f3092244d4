"""How a CSV file is written is detected, or refused where it can be read in two ways."""

import dataclasses
from pathlib import Path

import pytest

import lockgate
from lockgate.data.io.csv_detection import detect_csv


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1.5,x\n2,y\n", lockgate.CSVFormat()),
        ("a;b\n1,5;x\n2;y\n", lockgate.CSVFormat(delimiter=";", decimal=",")),
        ("a;b\n40.000;0,64\n", lockgate.CSVFormat(delimiter=";", decimal=",", thousands=".")),
        ("a;b\n1.234,50;1\n", lockgate.CSVFormat(delimiter=";", decimal=",", thousands=".")),
        ('a,b\n"1,026",0.18\n', lockgate.CSVFormat(thousands=",")),
        ('a,b\n"2,496.23",1\n', lockgate.CSVFormat(thousands=",")),
        ("a\tb\n1\t2\n", lockgate.CSVFormat(delimiter="\t")),
        ("a|b\n0.125|2\n", lockgate.CSVFormat(delimiter="|")),
        ("a,b\n0.125,2.375\n", lockgate.CSVFormat()),
        ("a;b\n0.5;2.375\n", lockgate.CSVFormat(delimiter=";")),
        ("a;b\n1.910.746;0,554\n", lockgate.CSVFormat(delimiter=";", decimal=",", thousands=".")),
        ("a;b\n0,004;1\n", lockgate.CSVFormat(delimiter=";", decimal=",")),
        ("a;b\n1.5;2,5\n", lockgate.CSVFormat(delimiter=";")),
        ("a;b\nred 1,5 m;1.25\n", lockgate.CSVFormat(delimiter=";")),
        ("ip,y\n192.168.100.200,1\n", lockgate.CSVFormat()),
        ("v;p\n10.1.2;1\n1.2.3;2\n", lockgate.CSVFormat(delimiter=";")),
    ],
)
def test_separators_are_detected(tmp_path: Path, text: str, expected: lockgate.CSVFormat) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    assert detect_csv(path) == expected


@pytest.mark.parametrize(
    "text",
    [
        'a,b\n"1,026",5\n"2,900",7\n',
        "a;b\n3.500;1\n900;2\n",
        "a,b\n1.234.567,1\n",
        "ip;p\n192.168.100.200;1.234\n",
    ],
)
def test_groups_of_three_digits_alone_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(
        lockgate.DataError, match="may separate thousands or decimals; say which: --set"
    ):
        detect_csv(path)
    assert detect_csv(path, {"decimal": "."}).decimal == "."


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("latin-1", "cp1252"), ("utf-16", "utf-16")],
)
def test_encodings_are_detected(tmp_path: Path, encoding: str, expected: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("city,n\nKöln,1\n".encode(encoding))
    assert detect_csv(path).encoding == expected


def test_a_delimiter_of_two_characters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a;;b\n1;;2\n")
    with pytest.raises(lockgate.UsageError, match="delimiter"):
        lockgate.read_table(path, csv=lockgate.CSVFormat(delimiter=";;"))


def test_decimal_commas_in_a_file_of_commas_are_refused_until_declared(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("weight,pair,y\n" + "".join(f'{k}.123,"{k},5",1\n' for k in range(1, 9)))
    with pytest.raises(lockgate.DataError, match="column pair holds '1,5'"):
        detect_csv(path)
    kinds = {"pair": "category"}
    assert detect_csv(path, kinds=kinds) == lockgate.CSVFormat()
    assert lockgate.read_table(path, kinds=kinds).schema["weight"].kind == "number"


def test_columns_that_contradict_each_other_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a;b;c\n" + "".join(f"{k}.5;{k},5;1.234\n" for k in range(9)))
    with pytest.raises(lockgate.SchemaViolation, match="column b holds '0,5'"):
        lockgate.read_table(path, csv=detect_csv(path))


def test_the_whole_file_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a;y\n" + "".join(f"{k};1\n" for k in range(6000)) + "1.234;1\n")
    with pytest.raises(lockgate.DataError, match="column a holds '1.234'"):
        detect_csv(path)


def test_a_late_change_of_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    amounts = [f"{k},50" for k in range(6000)] + ["1.234,50"]
    path.write_text("amount;y\n" + "".join(f"{a};{len(a) % 2}\n" for a in amounts))
    detected = detect_csv(path)
    assert (detected.decimal, detected.thousands) == (",", ".")
    form = dataclasses.replace(detected, thousands="")
    with pytest.raises(lockgate.SchemaViolation, match="'1.234,50', which looks like a number"):
        lockgate.read_table(path, target="y", csv=form)


def test_text_that_is_utf_8_is_not_decoded_as_another_encoding(tmp_path: Path) -> None:
    form = lockgate.CSVFormat(encoding="cp1252")
    for encoding in ("cp1252", "utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes("städte,n\nKöln,1\nBonn,2\n".encode(encoding))
        frame = lockgate.read_table(path, csv=form).frame
        assert frame["städte"].tolist() == ["Köln", "Bonn"]


def test_invalid_text_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for encoding, raw in (("utf-8", b"a,b\nM\xfc,1\n"), ("cp1252", b"a,b\n\x81\xfc,1\n")):
        path.write_bytes(raw)
        with pytest.raises(lockgate.DataError, match="save the file as UTF-8, or set the encoding"):
            lockgate.read_table(path, csv=lockgate.CSVFormat(encoding=encoding))


def test_blank_lines_before_the_header_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n\na,b\n1,2\n")
    assert lockgate.read_table(path).frame.to_dict("records") == [{"a": 1, "b": 2}]
