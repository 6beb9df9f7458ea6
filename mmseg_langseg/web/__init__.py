"""Browser page of ``langseg serve``; its server and page need the extra ``web`` (gradio)."""
