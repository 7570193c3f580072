import pytest
from pydantic import ValidationError

from seq2seq.config.evaluation import EqualCountBucketSettings, EvaluationSettings


def test_defaults_are_those_of_the_report():
    settings = EvaluationSettings()
    assert settings.buckets.edges == (10, 20, 30, 40, 50)
    assert (settings.resamples, settings.minimum_bucket, settings.baseline, settings.confidence) == (1000, 100, "none", 0.95)


def test_buckets_have_a_short_name():
    assert EvaluationSettings.model_validate({"buckets": "equal_count"}).buckets == EqualCountBucketSettings(count=6)
    assert EvaluationSettings.model_validate({"buckets": {"kind": "fixed", "edges": [5, 9]}}).buckets.edges == (5, 9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"buckets": {"kind": "fixed", "edges": [10, 10]}}, "edges must increase"),
        ({"buckets": {"kind": "fixed", "edges": []}}, "at least one length"),
        ({"buckets": {"kind": "fixed", "edges": [0, 10]}}, "greater than or equal to 1"),
        ({"buckets": {"kind": "fixed", "count": 3}}, "Extra inputs"),
        ({"metrics": ["chrf", "ter"]}, "must contain bleu"),
        ({"metrics": ["bleu", "chrf", "bleu"]}, "names one twice"),
        ({"metrics": ["bleu"]}, "'chrf' is not among metrics"),
        ({"metrics": ["bleu", "comet"]}, "Input should be"),
        ({"resamples": 10}, "greater than or equal to 100"),
        ({"confidence": 95}, "less than 1"),
        ({"bucket": "fixed"}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(given, message):
    with pytest.raises(ValidationError, match=message):
        EvaluationSettings.model_validate(given)
