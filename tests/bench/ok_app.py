"""What the hook is compared with: Flask answering "ok"."""

from flask import Flask

app = Flask(__name__)


@app.post("/")
def take() -> str:
    return "ok"
