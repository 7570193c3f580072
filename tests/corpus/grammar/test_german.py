import pytest

from seq2seq.corpus.grammar.german import German
from seq2seq.corpus.grammar.grammar import read_data

AGREEMENTS = ("1s", "3s", "1p", "3p")


@pytest.fixture(scope="module")
def german():
    return German(read_data("german"))


def words(form, *keys):
    return " ".join(" ".join(form.table[key]) for key in keys)


@pytest.mark.parametrize(
    ("entry", "present", "past", "participle", "to_infinitive"),
    [
        ("kaufen", "kaufe kauft kaufen kaufen", "kaufte kaufte kauften kauften", "gekauft", "zu kaufen"),
        (
            "arbeiten",
            "arbeite arbeitet arbeiten arbeiten",
            "arbeitete arbeitete arbeiteten arbeiteten",
            "gearbeitet",
            "zu arbeiten",
        ),
        (
            "zeichnen",
            "zeichne zeichnet zeichnen zeichnen",
            "zeichnete zeichnete zeichneten zeichneten",
            "gezeichnet",
            "zu zeichnen",
        ),
        ("lächeln", "lächle lächelt lächeln lächeln", "lächelte lächelte lächelten lächelten", "gelächelt", "zu lächeln"),
        ("füttern", "füttere füttert füttern füttern", "fütterte fütterte fütterten fütterten", "gefüttert", "zu füttern"),
        ("feiern", "feiere feiert feiern feiern", "feierte feierte feierten feierten", "gefeiert", "zu feiern"),
        (
            "reparieren",
            "repariere repariert reparieren reparieren",
            "reparierte reparierte reparierten reparierten",
            "repariert",
            "zu reparieren",
        ),
        ("besuchen", "besuche besucht besuchen besuchen", "besuchte besuchte besuchten besuchten", "besucht", "zu besuchen"),
        ("essen isst aß gegessen", "esse isst essen essen", "aß aß aßen aßen", "gegessen", "zu essen"),
        ("an|rufen ruft rief gerufen", "rufe ruft rufen rufen", "rief rief riefen riefen", "angerufen", "anzurufen"),
        (
            "vor|bereiten",
            "bereite bereitet bereiten bereiten",
            "bereitete bereitete bereiteten bereiteten",
            "vorbereitet",
            "vorzubereiten",
        ),
        ("zu|hören", "höre hört hören hören", "hörte hörte hörten hörten", "zugehört", "zuzuhören"),
        ("sein", "bin ist sind sind", "war war waren waren", "gewesen", "zu sein"),
        ("wissen", "weiß weiß wissen wissen", "wusste wusste wussten wussten", "gewusst", "zu wissen"),
    ],
)
def test_verbs(german, entry, present, past, participle, to_infinitive):
    forms = german.verb(entry)
    assert words(forms["present"], *AGREEMENTS) == present
    assert words(forms["past"], *AGREEMENTS) == past
    assert words(forms["participle"], None) == participle
    assert f"{words(forms['zu'], None)} {words(forms['infinitive_with_zu'], None)}".strip() == to_infinitive


def test_the_perfect_takes_sein_or_haben(german):
    assert words(german.verb("gehen geht ging ist gegangen")["have_present"], *AGREEMENTS) == "bin ist sind sind"
    assert words(german.verb("kaufen")["have_present"], *AGREEMENTS) == "habe hat haben haben"


def test_a_separable_verb_is_one_word_in_a_verb_final_clause(german):
    forms = german.verb("an|rufen ruft rief gerufen")
    assert words(forms["joined_present"], "3s", "3p") == "anruft anrufen"
    assert words(forms["joined_past"], "3s", "3p") == "anrief anriefen"
    assert words(forms["prefix"], None) == "an"


@pytest.mark.parametrize(
    ("entry", "gender", "singular", "plural"),
    [
        ("der Mann, Mannes, Männer", "masculine", "Mann Mann Mann Mannes", "Männer Männer Männern Männer"),
        (
            "der Student, Studenten, Studenten",
            "masculine",
            "Student Studenten Studenten Studenten",
            "Studenten Studenten Studenten Studenten",
        ),
        ("der Junge, Jungen, Jungen", "masculine", "Junge Jungen Jungen Jungen", "Jungen Jungen Jungen Jungen"),
        ("die Frau, Frau, Frauen", "feminine", "Frau Frau Frau Frau", "Frauen Frauen Frauen Frauen"),
        ("das Auto, Autos, Autos", "neuter", "Auto Auto Auto Autos", "Autos Autos Autos Autos"),
        ("der Garten, Gartens, Gärten", "masculine", "Garten Garten Garten Gartens", "Gärten Gärten Gärten Gärten"),
    ],
)
def test_nouns(german, entry, gender, singular, plural):
    cases = ("nominative", "accusative", "dative", "genitive")
    found, forms = german.noun(entry)
    assert found == gender
    assert words(forms["text"], *[("singular", case) for case in cases]) == singular
    assert words(forms["text"], *[("plural", case) for case in cases]) == plural


def test_a_mass_noun_has_no_plural(german):
    _, forms = german.noun("die Milch, Milch")
    assert {number for number, _ in forms["text"].table} == {"singular"}


@pytest.mark.parametrize(
    ("declension", "number", "gender", "forms"),
    [
        ("weak", "singular", "masculine", "teure teuren teuren teuren"),
        ("mixed", "singular", "neuter", "teures teures teuren teuren"),
        ("strong", "singular", "feminine", "teure teure teurer teurer"),
        ("strong", "plural", "neuter", "teure teure teuren teurer"),
        ("mixed", "plural", "masculine", "teuren teuren teuren teuren"),
    ],
)
def test_adjectives(german, declension, number, gender, forms):
    adjective = german.adjective("teuer", "teur", "")
    cases = ("nominative", "accusative", "dative", "genitive")
    assert words(adjective["text"], *[(declension, number, gender, case) for case in cases]) == forms
    assert words(adjective["plain"], None) == "teuer"
