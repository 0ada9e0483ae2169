"""A demo of an exported file: a static web page that runs it in the browser."""

from segkd_mm.deploy.demo.folder import build_demo
from segkd_mm.deploy.demo.server import DemoHandler, demo_server

__all__ = ['DemoHandler', 'build_demo', 'demo_server']
