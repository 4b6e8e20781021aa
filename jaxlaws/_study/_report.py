def write_report(settings, folder):
    pass
