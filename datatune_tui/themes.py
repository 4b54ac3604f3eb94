"""Themes of our own: dark, light and high contrast. All text they give rise to is measured by a test: 4.5 to 1, high contrast 7 to 1.

Colours named in texts (green, red, dim) are mapped by each theme too. The row under the cursor keeps the colours of its words, so its
background is close to that of the other rows in lightness, and it is bold.
"""

from __future__ import annotations

from rich.terminal_theme import TerminalTheme
from textual.color import Color
from textual.theme import Theme

DEFAULT = "dark"

THEMES: dict[str, Theme] = {
    theme.name: theme
    for theme in (
        Theme(
            name="dark",
            primary="#5aaaf0",
            secondary="#62d1eb",
            accent="#ffb454",
            warning="#f0c85a",
            error="#ff7a85",
            success="#7ed364",
            foreground="#e6e6e6",
            background="#121212",
            surface="#1c1c1c",
            panel="#262b31",
            variables={
                "block-cursor-foreground": "#ffffff",
                "block-cursor-background": "#0a2e6b",
                "block-cursor-blurred-foreground": "#e6e6e6",
                "block-cursor-blurred-background": "#30353a",
                "footer-key-foreground": "#ffb454",
                "input-selection-background": "#0a2e6b",
                "input-selection-foreground": "#ffffff",
                "text-muted": "#a8b0b8",
                "text-disabled": "#969ea6",
                "button-color-foreground": "#121212",
            },
        ),
        Theme(
            name="light",
            primary="#0a5a9c",
            secondary="#005569",
            accent="#8a3b00",
            warning="#8a4b00",
            error="#a51423",
            success="#145f1e",
            foreground="#1a1a1a",
            background="#fbfbfb",
            surface="#f4f4f4",
            panel="#e6eaee",
            dark=False,
            variables={
                "block-cursor-foreground": "#000000",
                "block-cursor-background": "#c4dff6",
                "block-cursor-blurred-foreground": "#1a1a1a",
                "block-cursor-blurred-background": "#dbe6ef",
                "footer-key-foreground": "#0a5a9c",
                "input-selection-background": "#c4dff6",
                "input-selection-foreground": "#000000",
                "text-muted": "#4d5660",
                "text-disabled": "#525b64",
                "text-primary": "#0a5a9c",
                "text-accent": "#7a3400",
                "text-warning": "#7a4300",
                "text-error": "#a51423",
                "text-success": "#145f1e",
                "button-color-foreground": "#ffffff",
            },
        ),
        Theme(
            name="high-contrast",
            primary="#7fc4ff",
            secondary="#80f0ff",
            accent="#ffe95a",
            warning="#ffe95a",
            error="#ffa8a8",
            success="#8cff8c",
            foreground="#ffffff",
            background="#000000",
            surface="#000000",
            panel="#101418",
            variables={
                "block-cursor-foreground": "#ffffff",
                "block-cursor-background": "#00224d",
                "block-cursor-text-style": "bold underline",
                "block-cursor-blurred-foreground": "#ffffff",
                "block-cursor-blurred-background": "#1c2228",
                "footer-key-foreground": "#ffe95a",
                "input-selection-background": "#00224d",
                "input-selection-foreground": "#ffffff",
                "border-blurred": "#7a8a99",
                "text-muted": "#d5dde5",
                "text-disabled": "#b8c0c8",
                "text-primary": "#a8d8ff",
                "text-accent": "#ffe95a",
                "text-warning": "#ffe95a",
                "text-error": "#ffa8a8",
                "text-success": "#8cff8c",
                "button-color-foreground": "#000000",
            },
        ),
    )
}
"""By name; the names are those engine.settings knows."""


def named_colours(theme: Theme) -> TerminalTheme:
    """What the colours that texts name look like in a theme."""
    names = (theme.background, theme.error, theme.success, theme.warning, theme.primary, theme.accent, theme.secondary, theme.foreground)
    black, red, green, yellow, blue, magenta, cyan, white = (Color.parse(name or "#000000").rgb for name in names)
    return TerminalTheme(black, white, [black, red, green, yellow, blue, magenta, cyan, white])
