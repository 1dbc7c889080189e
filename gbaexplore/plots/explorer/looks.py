"""How the page looks: one to three columns by its width, light or dark as the browser is."""

from __future__ import annotations

from typing import Any

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width", "min_width": 0}

_DARK = """
@media (prefers-color-scheme: dark) { :host {
  color-scheme: dark;
  --design-background-color: #1b1f24; --design-background-text-color: #e4e7ea;
  --design-surface-color: #262b32; --design-surface-text-color: #e4e7ea; --said: #262b32;
  --bk-border-fill-color: #1b1f24;
  --bk-axis-label-text-color: #e4e7ea; --bk-major-label-text-color: #e4e7ea; --bk-label-text-color: #e4e7ea;
  --bk-title-text-color: #e4e7ea; --bk-axis-line-color: #9aa2ab; --bk-major-tick-line-color: #9aa2ab;
  --bk-minor-tick-line-color: #9aa2ab;
} }
"""

PAGE = (
    """
:host { --said: #f3f5f7; color: var(--design-background-text-color, inherit); box-sizing: border-box; }
"""
    + _DARK
)
WIDGET = """
@media (prefers-color-scheme: dark) {
  :host { color-scheme: dark; --background-color: #262b32; --color: #e4e7ea; color: #e4e7ea; }
  .bk-input { background-color: #262b32; color: #e4e7ea; }
}
"""
CODE = """
@media (prefers-color-scheme: dark) {
  .ace_editor, .ace_gutter { background: #1b1f24 !important; color: #e4e7ea !important; }
  .ace_gutter-active-line { background: none !important; }
  .ace_marker-layer .ace_active-line { display: none; }
  .ace_gutter { color: #9aa2ab !important; }
  .ace_keyword, .ace_operator { color: #ff8f87 !important; }
  .ace_string { color: #a5d6ff !important; }
  .ace_constant, .ace_numeric { color: #79c0ff !important; }
  .ace_identifier, .ace_text-layer, .ace_paren { color: #e4e7ea !important; }
  .ace_support, .ace_function { color: #d2a8ff !important; }
}
"""
LEGEND = """
@media (prefers-color-scheme: dark) { .bk-item .bk-label { color: #e4e7ea !important; } }
"""
WHOLE = """
:host::before {
  content: ""; position: fixed; inset: 0; z-index: -1; background: var(--design-background-color, #ffffff);
}
"""
HEADER = """
h1 { display: inline; font-size: 1.5em; margin-right: 0.8em; overflow-wrap: anywhere; }
"""
MESSAGE = """
:host { overflow-wrap: anywhere; padding: 6px 10px; background: var(--said, #f3f5f7); border-radius: 4px; }
"""
BODY = """
:host {
  display: grid !important; width: 100%; gap: 0 12px; align-items: start;
  grid-template-columns: 250px minmax(0, 620px) minmax(0, 560px);
}
@media (max-width: 1279px) {
  :host { grid-template-columns: 250px minmax(0, 620px); }
}
@media (max-width: 899px) { :host { grid-template-columns: minmax(0, 1fr); } }
"""
PART = """
:host { width: 100%; min-width: 0; }
"""
COURSES = """
@media (min-width: 900px) and (max-width: 1279px) { :host { grid-column: 2; } }
"""
CHOICES = """
:host { width: 100%; min-width: 0; }
@media (max-width: 899px) { :host { display: contents !important; } }
"""
CONTROLS = """
:host { width: 100%; min-width: 0; }
@media (max-width: 899px) {
  :host { display: grid !important; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); }
}
"""
