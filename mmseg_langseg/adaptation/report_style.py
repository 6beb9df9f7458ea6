"""Style sheet of the report page."""

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff;
  max-width: 72rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 1rem 0; padding: 1rem 1.2rem;
  border-left: 6px solid; }
h1.better { background: #e9f6ec; border-color: #1a7f37; }
h1.kept { background: #f2f2f5; border-color: #57606a; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #555; padding-bottom: .4rem; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; border-bottom: 1px solid #ddd;
  vertical-align: middle; white-space: nowrap; }
th.number, td.number { text-align: right; }
tr.chosen > * { background: #e9f6ec; font-weight: 600; }
table.settings td { white-space: normal; overflow-wrap: anywhere; }
pre { background: #f2f2f5; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
ul.legend span { display: inline-block; width: .9em; height: .9em; border: 1px solid #0008;
  border-radius: 3px; margin-right: .45em; vertical-align: -.1em; }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 31rem), 1fr));
  gap: 1.2rem 2rem; }
.photo { margin: 0; }
.photo > div { display: grid; grid-template-columns: repeat(3, 1fr); gap: .4rem; }
.photo figcaption, .photo span { font-size: .85rem; color: #444; overflow-wrap: anywhere; }
.photo img { width: 100%; display: block; border-radius: 3px; }
"""
