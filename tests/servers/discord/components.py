"""What Discord refuses about components: of the old kind in rows, of the new kind anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.servers.discord.refusal import Json, Refusal, check_length, check_url, invalid

_IN_CONTAINER = {1, 9, 10, 12, 13, 14}
_SELECTS = {3, 5, 6, 7, 8}
_HIDDEN_BYTES = 10_170  # undocumented: discord-api-docs#8554


def every(components: Iterable[Json]) -> Iterator[Json]:
    """Every component, nested ones too."""
    for component in components:
        yield component
        yield from every(component.get("components") or [])
        if component.get("accessory"):
            yield from every([component["accessory"]])


def check_v2(body: Json, components: list[Json]) -> None:
    for key in ("content", "embeds", "poll", "sticker_ids"):
        if body.get(key):
            reason = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            raise invalid(key, reason, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2")
    found = list(every(components))
    if len(found) > 40:
        raise invalid(
            "components", "The maximum number of components is 40.", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"
        )
    texts = [part.get("content") or "" for part in found if part.get("type") == 10]
    if sum(map(len, texts)) > 4000:
        reason = "The total text of all components must be 4000 or fewer in length."
        raise invalid("components", reason, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED")
    if sum(len(text.encode()) + 12 for text in texts) > _HIDDEN_BYTES:
        raise Refusal(500, 0, "500: Internal Server Error")


def check_rows(components: list[Json]) -> None:
    if len(components) > 5:
        raise invalid("components", "Must be 5 or fewer in length.")
    for number, part in enumerate(components):
        if part.get("type") != 1:
            raise invalid(
                f"components.{number}.type", 'Value of field "type" must be one of (1,).', "UNION_TYPE_CHOICES"
            )


def check_components(components: list[Json], *, links_only: bool) -> None:
    names: set[str] = set()
    for number, part in enumerate(components):
        _check_component(part, f"components.{number}")
    for part in every(components):
        name = part.get("custom_id")
        if name in names:
            raise invalid("components", "Component custom id cannot be duplicated", "COMPONENT_CUSTOM_ID_DUPLICATED")
        if name:
            names.add(name)
    if links_only and names:
        raise invalid("components", "This webhook may only have link buttons.", "COMPONENT_TYPE_INVALID")


def _check_component(part: Json, where: str) -> None:
    kind = part.get("type")
    check = _CHECKS.get(kind if isinstance(kind, int) else -1)
    if check is None:
        raise invalid(f"{where}.type", "This component cannot stand here.", "UNION_TYPE_CHOICES")
    check(part, where)


def _children(part: Json, where: str, allowed: set[int], low: int, high: int) -> None:
    children = part.get("components") or []
    if not low <= len(children) <= high:
        raise invalid(f"{where}.components", f"Must be between {low} and {high} in length.")
    for number, child in enumerate(children):
        if child.get("type") not in allowed:
            raise invalid(
                f"{where}.components.{number}.type", f"Must be one of {sorted(allowed)}.", "UNION_TYPE_CHOICES"
            )
        _check_component(child, f"{where}.components.{number}")


def _check_row(part: Json, where: str) -> None:
    selects = any(child.get("type") in _SELECTS for child in part.get("components") or [])
    _children(part, where, _SELECTS if selects else {2}, 1, 1 if selects else 5)


def _check_button(part: Json, where: str) -> None:
    style = part.get("style")
    if style not in {1, 2, 3, 4, 5}:
        raise invalid(f"{where}.style", "Must be one of (1, 2, 3, 4, 5).", "BASE_TYPE_CHOICES")
    if not (part.get("label") or part.get("emoji")):
        raise invalid(where, "A button must have a label or emoji", "BUTTON_COMPONENT_LABEL_EMOJI_REQUIRED")
    if part.get("label") is not None:
        check_length(part["label"], f"{where}.label", 0, 80)
    if style == 5:
        if "custom_id" in part:
            raise invalid(where, "A custom id and url cannot both be specified", "BUTTON_COMPONENT_CUSTOM_ID_AND_URL")
        check_url(part.get("url"), f"{where}.url", 512, ("http", "https", "discord"))
    else:
        if "url" in part:
            raise invalid(where, "Only link buttons have a url", "BUTTON_COMPONENT_CUSTOM_ID_AND_URL")
        check_length(part.get("custom_id"), f"{where}.custom_id", 1, 100)


def _check_select(part: Json, where: str) -> None:
    check_length(part.get("custom_id"), f"{where}.custom_id", 1, 100)
    if part["type"] != 3:
        return
    options = part.get("options") or []
    if not 1 <= len(options) <= 25:
        raise invalid(f"{where}.options", "Must be between 1 and 25 in length.")
    for number, option in enumerate(options):
        check_length(option.get("label"), f"{where}.options.{number}.label", 1, 100)
        check_length(option.get("value"), f"{where}.options.{number}.value", 1, 100)


def _check_section(part: Json, where: str) -> None:
    _children(part, where, {10}, 1, 3)
    accessory = part.get("accessory") or {}
    if accessory.get("type") not in {2, 11}:
        raise invalid(f"{where}.accessory", "This field is required", "BASE_TYPE_REQUIRED")
    _check_component(accessory, f"{where}.accessory")


def _check_media(part: Json, where: str) -> None:
    url = (part.get("media") or {}).get("url")
    check_url(url, f"{where}.media.url", schemes=("http", "https", "attachment"))
    if part.get("description") is not None:
        check_length(part["description"], f"{where}.description", 1, 1024)


def _check_gallery(part: Json, where: str) -> None:
    items = part.get("items") or []
    if not 1 <= len(items) <= 10:
        raise invalid(f"{where}.items", "Must be between 1 and 10 in length.")
    for number, item in enumerate(items):
        _check_media(item, f"{where}.items.{number}")


def _check_container(part: Json, where: str) -> None:
    if not 0 <= (part.get("accent_color") or 0) <= 0xFFFFFF:
        raise invalid(f"{where}.accent_color", "int value should be less than or equal to 16777215.", "NUMBER_TYPE_MAX")
    _children(part, where, _IN_CONTAINER, 1, 40)


def _check_file(part: Json, where: str) -> None:
    check_url((part.get("file") or {}).get("url"), f"{where}.file.url", schemes=("attachment",))


_CHECKS = {
    1: _check_row,
    2: _check_button,
    **dict.fromkeys(_SELECTS, _check_select),
    9: _check_section,
    10: lambda part, where: check_length(part.get("content"), f"{where}.content", 1, 4000),
    11: _check_media,
    12: _check_gallery,
    13: _check_file,
    14: lambda _part, _where: None,
    17: _check_container,
}
