"""Label and field selectors: each parser returns a function from an object to whether it matches."""

import re

from fake_schema import bad_request

TERM = re.compile(r"\s*(?:(?P<absent>!)\s*(?P<key0>[^\s!=,()]+)"
                  r"|(?P<key1>[^\s!=,()]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)"
                  r"|(?P<key2>[^\s!=,()]+)\s*(?:(?P<operator>==|=|!=)\s*(?P<value>[^\s!=,()]*))?)\s*(?:,|$)")


def labels(selector):
    """a=b, a==b, a!=b, a, !a, a in (x, y), a notin (x), joined by commas."""
    terms, position = [], 0
    while position < len(selector):
        match = TERM.match(selector, position)
        if not match:
            raise bad_request(f"unable to parse requirement: {selector[position:]!r}")
        terms.append(_label_term(match.groupdict()))
        position = match.end()
    return lambda obj: all(term(obj["metadata"].get("labels") or {}) for term in terms)


def _label_term(term):
    if term["absent"]:
        return lambda values: term["key0"] not in values
    if term["set"]:
        allowed = {value.strip() for value in term["values"].split(",")}
        if term["set"] == "in":
            return lambda values: values.get(term["key1"]) in allowed
        return lambda values: values.get(term["key1"]) not in allowed
    if not term["operator"]:
        return lambda values: term["key2"] in values
    if term["operator"] == "!=":
        return lambda values: values.get(term["key2"]) != term["value"]
    return lambda values: values.get(term["key2"]) == term["value"]


def fields(selector, known):
    """metadata.name=x, status.phase!=y, joined by commas; known: the fields that may be named."""
    terms = []
    for term in filter(None, selector.split(",")):
        match = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", term.strip())
        if not match:
            raise bad_request(f"invalid field selector: {selector!r}")
        path, operator, value = match.groups()
        if path not in (*known, "metadata.name", "metadata.namespace"):
            raise bad_request(f"field label not supported: {path}")
        terms.append((path.split("."), operator != "!=", value))
    return lambda obj: all((_at(obj, path) == value) == wanted for path, wanted, value in terms)


def _at(obj, path):
    for key in path:
        obj = obj.get(key, {})
    return obj or ""
