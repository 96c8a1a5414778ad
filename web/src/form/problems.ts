import { ApiError } from '../api/client';
import { problemText } from '../i18n/problems';
import { formPath } from '../model/schema';

/** showProblems puts what the server found wrong at the fields of a form. */
export function showProblems(form: { setErrors: (errors: Record<string, string>) => void }, error: unknown) {
  if (!(error instanceof ApiError)) return;
  form.setErrors(Object.fromEntries(error.fields.map((f) => [formPath(f.field), problemText(f)])));
}
